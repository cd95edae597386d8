import { isMac, keyGroups } from "../app/keys";
import { keySigns } from "../app/key-text";
import { KeyHint } from "../components";

/** What keys do here, by the parts of the page that know them. */
export function Keys() {
  const groups = keyGroups.value.filter((group) => group.bindings().length > 0).toReversed();
  return (
    <div class="keys">
      <h2>Keys</h2>
      <div class="keys__groups">
        {groups.map((group) => (
          <section key={group.title}>
            <h3>{group.title}</h3>
            <dl>
              {group.bindings().map((binding) => (
                <div key={binding.keys}>
                  <dt>
                    <KeyHint keys={keySigns(binding.keys, isMac)} />
                  </dt>
                  <dd>{binding.title}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
    </div>
  );
}
