import { Empty } from "../components";

/** Where a person signs in. */
export default function SignInPage() {
  return <Empty title="Sign in">This page is being built.</Empty>;
}
