import type { ComponentType } from "preact";
import type { TabProps } from "../body";
import { ConditionTable } from "../parts";
import { AboutObject } from "./about-object";
import { BindingDetails, RoleDetails } from "./rbac";
import { BudgetDetails } from "./budget";
import { DataDetails } from "./data";
import { GenericDetails } from "./generic";
import { JobDetails, CronJobDetails } from "./jobs";
import { IngressDetails, NetworkPolicyDetails } from "./networking";
import { NamespaceDetails, ServiceAccountDetails } from "./namespaces";
import { PodDetails } from "./pod";
import { QuotaDetails } from "./quota";
import { AutoscalerDetails } from "./autoscaler";
import { DefinitionDetails } from "./definition";
import { Relations } from "./relations";
import { ServiceDetails, SliceDetails } from "./service";
import { ClaimDetails, StorageClassDetails, VolumeDetails } from "./storage";
import { WorkloadDetails } from "./workload";

const BY_KIND: Readonly<Record<string, ComponentType<TabProps>>> = {
  Pod: PodDetails,
  Deployment: WorkloadDetails,
  ReplicaSet: WorkloadDetails,
  StatefulSet: WorkloadDetails,
  DaemonSet: WorkloadDetails,
  Job: JobDetails,
  CronJob: CronJobDetails,
  Service: ServiceDetails,
  EndpointSlice: SliceDetails,
  Ingress: IngressDetails,
  NetworkPolicy: NetworkPolicyDetails,
  ConfigMap: DataDetails,
  Secret: DataDetails,
  PersistentVolumeClaim: ClaimDetails,
  PersistentVolume: VolumeDetails,
  StorageClass: StorageClassDetails,
  Namespace: NamespaceDetails,
  ServiceAccount: ServiceAccountDetails,
  Role: RoleDetails,
  ClusterRole: RoleDetails,
  RoleBinding: BindingDetails,
  ClusterRoleBinding: BindingDetails,
  ResourceQuota: QuotaDetails,
  PodDisruptionBudget: BudgetDetails,
  HorizontalPodAutoscaler: AutoscalerDetails,
  CustomResourceDefinition: DefinitionDetails,
};

/** Everything about an object: what is made for its kind first, then what all objects have. */
export function Details(props: TabProps) {
  const Own = BY_KIND[props.object.kind ?? ""] ?? GenericDetails;
  return (
    <>
      <Own {...props} />
      <ConditionTable object={props.object} />
      <Relations object={props.object} />
      <AboutObject object={props.object} />
    </>
  );
}
