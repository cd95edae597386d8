import "./navigation.css";
import { useSignal } from "@preact/signals";
import { Icon } from "../components";
import { Link } from "./link";
import { inNamespace } from "./namespace";
import { navigation, type NavigationSection, placeInNavigation } from "./pages-in-navigation";
import { path } from "./router";
import type { Section } from "./resources";

/** The navigation: the sections of the Console, of which those that a person opened are open. */
export function Navigation() {
  const here = placeInNavigation(path.value);
  const opened = useSignal<ReadonlySet<Section>>(new Set(["Workloads", "Troubleshooting"]));
  const toggle = (title: Section, isOpen: boolean) => {
    const next = new Set(opened.value);
    if (isOpen) next.delete(title);
    else next.add(title);
    opened.value = next;
  };
  return (
    <nav class="navigation" aria-label="Pages">
      <Link to={inNamespace("/")} class="navigation__brand">
        <Icon name="brand" />
        homeostat
      </Link>
      <div class="navigation__scroll">
        <Link
          to={inNamespace("/")}
          class="navigation__item navigation__item--top"
          current={path.value === "/"}
        >
          Overview
        </Link>
        {navigation.map((section) => (
          <SectionPart
            key={section.title}
            section={section}
            isOpen={opened.value.has(section.title) || here?.section === section}
            currentPath={here?.item.path ?? ""}
            onToggle={toggle}
          />
        ))}
      </div>
    </nav>
  );
}

interface SectionPartProps {
  readonly section: NavigationSection;
  readonly isOpen: boolean;
  readonly currentPath: string;
  readonly onToggle: (title: Section, isOpen: boolean) => void;
}

function SectionPart({ section, isOpen, currentPath, onToggle }: SectionPartProps) {
  const id = `navigation-${section.title}`;
  return (
    <section class="navigation__section">
      <button
        type="button"
        class="navigation__heading"
        aria-expanded={isOpen}
        aria-controls={id}
        onClick={() => onToggle(section.title, isOpen)}
      >
        {section.title}
        <Icon name={isOpen ? "chevron-down" : "chevron-right"} />
      </button>
      <ul id={id} hidden={!isOpen}>
        {section.items.map((item) => (
          <li key={item.path}>
            <Link to={inNamespace(item.path)} class="navigation__item" current={item.path === currentPath}>
              {item.title}
            </Link>
          </li>
        ))}
      </ul>
    </section>
  );
}
