import { at, listAt, mapAt, textAt } from "../../kube/object";
import type { TabProps } from "../body";
import { Facts, Labels, ObjectLink, Section } from "../parts";

/** The details of a PersistentVolumeClaim. */
export function ClaimDetails({ object }: TabProps) {
  const volume = textAt(object, "spec", "volumeName");
  const storageClass = textAt(object, "spec", "storageClassName");
  return (
    <Section title="Claim">
      <Facts
        facts={[
          ["Asks for", mapAt(object, "spec", "resources", "requests").storage ?? ""],
          ["Has", mapAt(object, "status", "capacity").storage ?? ""],
          ["Access", listAt<string>(object, "spec", "accessModes").join(", ")],
          ["Volume", volume ? <ObjectLink kind="PersistentVolume" name={volume} /> : "not bound yet"],
          [
            "Class",
            storageClass && (
              <ObjectLink apiVersion="storage.k8s.io/v1" kind="StorageClass" name={storageClass} />
            ),
          ],
          ["Mode", textAt(object, "spec", "volumeMode")],
        ]}
      />
    </Section>
  );
}

/** The details of a PersistentVolume. */
export function VolumeDetails({ object }: TabProps) {
  const [namespace, name] = [
    textAt(object, "spec", "claimRef", "namespace"),
    textAt(object, "spec", "claimRef", "name"),
  ];
  return (
    <Section title="Volume">
      <Facts
        facts={[
          ["Capacity", mapAt(object, "spec", "capacity").storage ?? ""],
          ["Access", listAt<string>(object, "spec", "accessModes").join(", ")],
          [
            "Claim",
            name ? <ObjectLink kind="PersistentVolumeClaim" name={name} namespace={namespace} /> : "none",
          ],
          ["When released", textAt(object, "spec", "persistentVolumeReclaimPolicy")],
          ["Class", textAt(object, "spec", "storageClassName")],
          ["Driver", textAt(object, "spec", "csi", "driver")],
        ]}
      />
    </Section>
  );
}

/** The details of a StorageClass. */
export function StorageClassDetails({ object }: TabProps) {
  const isDefault = object.metadata.annotations?.["storageclass.kubernetes.io/is-default-class"] === "true";
  return (
    <Section title="Class">
      <Facts
        facts={[
          ["Provisioner", textAt(object, "provisioner")],
          ["Default", isDefault ? "yes: claims without a class get it" : "no"],
          ["Binds", textAt(object, "volumeBindingMode")],
          ["When released", textAt(object, "reclaimPolicy")],
          ["Grows", at(object, "allowVolumeExpansion") === true ? "yes" : "no"],
          ["Parameters", <Labels of={mapAt(object, "parameters")} />],
        ]}
      />
    </Section>
  );
}
