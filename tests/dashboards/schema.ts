// A dashboard as Grafana 11 declares it, and no field that it does not: its public types, joined for the kinds of panel that
// are written here. Where its types are open (a query, what Prometheus adds to an annotation) they are closed.

import type * as grafana from "@grafana/schema";
import type * as raw from "./node_modules/@grafana/schema/dist/esm/raw/dashboard/x/dashboard_types.gen";
import type * as heatmap from "./node_modules/@grafana/schema/dist/esm/raw/composable/heatmap/panelcfg/x/HeatmapPanelCfg_types.gen";
import type * as stat from "./node_modules/@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen";
import type * as table from "./node_modules/@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen";
import type * as timeline from "./node_modules/@grafana/schema/dist/esm/raw/composable/statetimeline/panelcfg/x/StateTimelinePanelCfg_types.gen";
import type * as timeseries from "./node_modules/@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen";

// As JSON writes it: the values of enumerations in place of their names.
type Json<T> = unknown extends T
  ? T
  : T extends string
    ? `${T}`
    : T extends number
      ? `${T}` extends `${infer N extends number}` ? N : T
      : T extends boolean | null | undefined
        ? T
        : T extends Array<infer Item>
          ? Array<Json<Item>>
          : { [Key in keyof T]: Json<T[Key]> };

interface Query {
  refId: string;
  datasource: { type: "prometheus"; uid: "${datasource}" };
  editorMode: "code" | "builder";
  expr: string;
  legendFormat: string;
  format: "time_series" | "table" | "heatmap";
  instant: boolean;
  range: boolean;
}

interface Of<Kind extends string, Options, Custom>
  extends Omit<raw.Panel, "type" | "options" | "targets" | "fieldConfig" | "datasource"> {
  type: Kind;
  datasource: Query["datasource"];
  description: string;
  gridPos: raw.GridPos;
  options: Options;
  targets: Array<Query>;
  fieldConfig: {
    defaults: Omit<raw.FieldConfig, "custom"> & { custom: Custom };
    overrides: raw.FieldConfigSource["overrides"];
  };
}

type Panel =
  | Of<"timeseries", Omit<timeseries.Options, "timezone">, timeseries.FieldConfig>
  | Of<"stat", stat.Options, {}>
  | Of<"table", table.Options, table.FieldConfig>
  | Of<"heatmap", heatmap.Options, heatmap.FieldConfig>
  | Of<"state-timeline", timeline.Options, timeline.FieldConfig>
  | Omit<raw.RowPanel, "datasource" | "repeat">;

interface Annotation extends Omit<raw.AnnotationQuery, "target"> {
  expr: string;
  step: string;
  titleFormat: string;
  textFormat: string;
  tagKeys: string;
  target: { refId: string; expr: string };
}

export type Dashboard = Json<
  Omit<raw.Dashboard, "panels" | "annotations" | "snapshot" | "schemaVersion"> & {
    schemaVersion: 39;
    panels: Array<Panel>;
    annotations: { list: Array<Annotation> };
  }
>;

// What is no dashboard is refused: were the types above too open, these lines would be errors.
declare const panel: Extract<Dashboard["panels"][number], { type: "timeseries" }>;
declare const dashboard: Dashboard;
// @ts-expect-error: a field of the dashboard that there is none of
export const field: Dashboard = { ...dashboard, titel: "" };
// @ts-expect-error: the version of another model
export const version: Dashboard = { ...dashboard, schemaVersion: 40 };
// @ts-expect-error: a kind of panel that there is none of
export const kind: Dashboard["panels"][number] = { ...panel, type: "graph" };
// @ts-expect-error: the value of an enumeration that there is none of
export const value: (typeof panel)["options"]["legend"] = { ...panel.options.legend, displayMode: "lists" };
// @ts-expect-error: a setting of lines that there is none of
export const setting: (typeof panel)["fieldConfig"]["defaults"]["custom"] = { lineColour: "red" };
// @ts-expect-error: a place without a height
export const place: (typeof panel)["gridPos"] = { x: 0, y: 0, w: 1 };
