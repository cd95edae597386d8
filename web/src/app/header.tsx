import "./header.css";
import { Button, Icon, KeyHint, Menu, type MenuItem } from "../components";
import { Breadcrumbs } from "./breadcrumbs";
import { guideOpen } from "../guide/state";
import { NamespaceSwitch } from "./namespace-switch";
import { openPalette } from "../palette/state";
import { isMac } from "./keys";
import { SearchField } from "./search-field";
import { session, signOut } from "./session";
import { chooseTheme, theme, type ThemeChoice, themeChoice } from "./theme";

/** Where one is, what one looks for, in which namespace, and who one is. */
export function Header() {
  return (
    <header class="header">
      <Breadcrumbs />
      <SearchField />
      <NamespaceSwitch />
      <Button
        look="plain"
        label="Find anything"
        title="Find any page, action or object"
        onClick={openPalette}
      >
        <KeyHint keys={isMac ? ["⌘", "K"] : ["Ctrl", "K"]} />
      </Button>
      <Button
        look="plain"
        pressed={guideOpen.value}
        title="The exercise of the guide, step by step"
        onClick={() => (guideOpen.value = !guideOpen.value)}
      >
        Guide
      </Button>
      <ThemeMenu />
      <UserMenu />
    </header>
  );
}

function ThemeMenu() {
  const choices: readonly (readonly [ThemeChoice, string])[] = [
    ["system", "As the system"],
    ["light", "Light"],
    ["dark", "Dark"],
  ];
  const items = choices.map(([id, title]): MenuItem => {
    return { id, title, chosen: themeChoice.value === id, run: () => chooseTheme(id) };
  });
  return (
    <Menu label="Theme" look="plain" side="right" items={items}>
      <Icon name={theme.value === "dark" ? "moon" : "sun"} />
    </Menu>
  );
}

function UserMenu() {
  const { user, expires } = session.value ?? { user: "", expires: 0 };
  const until = expires === 0 ? "" : `Signed in until ${new Date(expires * 1000).toLocaleTimeString()}`;
  return (
    <Menu
      label={`Signed in as ${user}`}
      look="plain"
      side="right"
      items={[{ id: "out", title: "Sign out", run: () => void signOut() }]}
      head={
        <div class="header__user">
          <strong>{user}</strong>
          {until !== "" && <span>{until}</span>}
        </div>
      }
    >
      <Icon name="user" />
    </Menu>
  );
}
