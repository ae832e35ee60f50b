//! A dashboard in Grafana's classic model, schema version 39: what every panel has, and the few kinds there are.

use super::query::{INSTANCE, JOB};
use crate::names::label;
use serde_json::{Map, Value, json};

/// The width of the grid.
const COLUMNS: u32 = 24;
/// Between a sign and what follows, so that Grafana takes neither for a variable; it has no width.
const JOINER: char = '\u{2060}';

/// User text in a title, a legend or a link's name: nothing in it is a variable.
pub(super) fn shown(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        safe.push(c);
        if c == '$' || (matches!(c, '[' | '{') && rest.peek() == Some(&c)) {
            safe.push(JOINER);
        }
    }
    safe
}

/// Where everything is read from: the variable that picks it.
pub(super) fn datasource() -> Value {
    json!({"type": "prometheus", "uid": "${datasource}"})
}

/// The look of a panel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Row,
    Graph,
    Stat,
    Table,
    Heatmap,
    Timeline,
}

/// A panel; its place in the grid comes last, from those around it.
#[derive(Clone, Debug)]
pub(super) struct Panel {
    kind: Kind,
    title: String,
    description: String,
    size: (u32, u32),
    targets: Vec<Value>,
    defaults: Map<String, Value>,
    custom: Map<String, Value>,
    overrides: Vec<Value>,
    options: Value,
    more: Map<String, Value>,
}

impl Panel {
    fn new(kind: Kind, title: impl Into<String>, description: impl Into<String>, options: Value) -> Self {
        Self {
            kind,
            title: title.into(),
            description: description.into(),
            size: (COLUMNS, 1),
            targets: Vec::new(),
            defaults: Map::new(),
            custom: Map::new(),
            overrides: Vec::new(),
            options,
            more: Map::new(),
        }
    }

    /// A heading over the panels that follow.
    pub(super) fn row(title: impl Into<String>) -> Self {
        Self::new(Kind::Row, title, "", json!({}))
    }

    /// Lines over time.
    pub(super) fn graph(title: impl Into<String>, description: impl Into<String>) -> Self {
        let options = json!({
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": true, "calcs": []},
            "tooltip": {"mode": "multi", "sort": "desc"},
        });
        let mut panel = Self::new(Kind::Graph, title, description, options);
        panel.custom = object(json!({
            "drawStyle": "line", "lineWidth": 1, "fillOpacity": 10, "showPoints": "never", "spanNulls": false,
            "thresholdsStyle": {"mode": "off"}, "stacking": {"mode": "none", "group": "A"},
        }));
        panel.steps(&[(None, "green")]).set("color", json!({"mode": "palette-classic"}))
    }

    /// The last value of each series, in large.
    pub(super) fn stat(title: impl Into<String>, description: impl Into<String>) -> Self {
        let options = json!({
            "colorMode": "background", "graphMode": "none", "justifyMode": "auto", "textMode": "auto",
            "orientation": "horizontal", "wideLayout": true, "showPercentChange": false,
            "percentChangeColorMode": "standard",
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": false},
        });
        Self::new(Kind::Stat, title, description, options).set("color", json!({"mode": "thresholds"}))
    }

    /// Rows and columns.
    pub(super) fn table(title: impl Into<String>, description: impl Into<String>) -> Self {
        let mut panel = Self::new(
            Kind::Table,
            title,
            description,
            json!({"cellHeight": "sm", "frameIndex": 0, "showHeader": true, "sortBy": []}),
        );
        panel.custom =
            object(json!({"align": "auto", "cellOptions": {"type": "auto"}, "filterable": false, "inspect": false}));
        panel.steps(&[(None, "green")]).unit("none")
    }

    /// How many of what, over time; fed by the buckets of a histogram.
    pub(super) fn heatmap(title: impl Into<String>, description: impl Into<String>) -> Self {
        let options = json!({
            "calculate": false, "cellGap": 1, "cellValues": {"unit": "short"}, "filterValues": {"le": 1e-9},
            "color": {"mode": "scheme", "scheme": "Oranges", "steps": 64, "scale": "exponential", "exponent": 0.5,
                      "fill": "dark-orange", "reverse": false},
            "exemplars": {"color": "rgba(255,0,255,0.7)"}, "legend": {"show": true}, "rowsFrame": {"layout": "auto"},
            "showValue": "never", "tooltip": {"mode": "single", "yHistogram": true, "showColorScale": true},
            "yAxis": {"axisPlacement": "left", "unit": "s", "reverse": false},
        });
        Self::new(Kind::Heatmap, title, description, options).unit("short")
    }

    /// Which state, over time: a band for each series.
    pub(super) fn timeline(title: impl Into<String>, description: impl Into<String>) -> Self {
        let options = json!({
            "alignValue": "left", "mergeValues": true, "rowHeight": 0.9, "showValue": "auto",
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": true, "calcs": []},
            "tooltip": {"mode": "single", "sort": "none"},
        });
        let mut panel = Self::new(Kind::Timeline, title, description, options);
        panel.custom = object(json!({"fillOpacity": 80, "lineWidth": 0}));
        panel.steps(&[(None, "green")]).unit("none").set("color", json!({"mode": "thresholds"}))
    }

    /// Columns of 24, and rows of 38 pixels.
    pub(super) fn size(mut self, width: u32, height: u32) -> Self {
        self.size = (width, height);
        self
    }

    /// What it draws over time: an expression, and how its series are called.
    pub(super) fn query(self, expr: impl Into<String>, legend: impl Into<String>) -> Self {
        let format = if self.kind == Kind::Heatmap { "heatmap" } else { "time_series" };
        self.target(&expr.into(), &legend.into(), format, false)
    }

    /// What it shows of this moment.
    pub(super) fn now(self, expr: impl Into<String>, legend: impl Into<String>) -> Self {
        let format = if self.kind == Kind::Table { "table" } else { "time_series" };
        self.target(&expr.into(), &legend.into(), format, true)
    }

    fn target(mut self, expr: &str, legend: &str, format: &str, instant: bool) -> Self {
        self.targets.push(json!({
            "refId": reference(self.targets.len()), "datasource": datasource(), "editorMode": "code", "expr": expr,
            "legendFormat": if legend.is_empty() { "__auto" } else { legend },
            "format": format, "instant": instant, "range": !instant,
        }));
        self
    }

    fn set(mut self, key: &str, value: Value) -> Self {
        self.defaults.insert(key.to_owned(), value);
        self
    }

    pub(super) fn custom(mut self, key: &str, value: Value) -> Self {
        self.custom.insert(key.to_owned(), value);
        self
    }

    pub(super) fn option(mut self, key: &str, value: Value) -> Self {
        self.options[key] = value;
        self
    }

    pub(super) fn unit(self, unit: &str) -> Self {
        self.set("unit", json!(unit))
    }

    pub(super) fn decimals(self, decimals: u32) -> Self {
        self.set("decimals", json!(decimals))
    }

    pub(super) fn min(self, min: f64) -> Self {
        self.set("min", json!(min))
    }

    pub(super) fn max(self, max: f64) -> Self {
        self.set("max", json!(max))
    }

    /// Colours from a value on; the first from the lowest on.
    pub(super) fn steps(self, steps: &[(Option<f64>, &str)]) -> Self {
        let steps: Vec<Value> = steps.iter().map(|(value, color)| json!({"value": value, "color": color})).collect();
        self.set("thresholds", json!({"mode": "absolute", "steps": steps}))
    }

    /// A line at each value, in its colour.
    pub(super) fn lines(self, steps: &[(f64, &str)]) -> Self {
        let steps: Vec<_> =
            [(None, "transparent")].into_iter().chain(steps.iter().map(|(v, color)| (Some(*v), *color))).collect();
        self.steps(&steps).custom("thresholdsStyle", json!({"mode": "line"}))
    }

    /// Words in place of values.
    pub(super) fn mappings(self, mappings: Value) -> Self {
        self.set("mappings", mappings)
    }

    /// Areas on top of each other.
    pub(super) fn stacked(self) -> Self {
        self.custom("stacking", json!({"mode": "normal", "group": "A"})).custom("fillOpacity", json!(60))
    }

    /// The series or the column of this name is otherwise.
    pub(super) fn but(mut self, name: &str, properties: &[(&str, Value)]) -> Self {
        let properties: Vec<Value> = properties.iter().map(|(id, value)| json!({"id": id, "value": value})).collect();
        self.overrides.push(json!({"matcher": {"id": "byName", "options": name}, "properties": properties}));
        self
    }

    pub(super) fn colour(self, name: &str, colour: &str) -> Self {
        self.but(name, &[("color", json!({"mode": "fixed", "fixedColor": colour}))])
    }

    /// Series that are zero all the time are drawn, and named nowhere: most reasons and outcomes never occur.
    pub(super) fn quiet(mut self) -> Self {
        self.overrides.push(json!({
            "matcher": {"id": "byValue", "options": {"reducer": "allIsZero", "op": "gte", "value": 0}},
            "properties": [{"id": "custom.hideFrom", "value": {"legend": true, "tooltip": true, "viz": false}}],
        }));
        self
    }

    /// A time of its own, whatever the dashboard's.
    pub(super) fn since(mut self, from: &str) -> Self {
        self.more.insert("timeFrom".to_owned(), json!(from));
        self
    }

    pub(super) fn transformed(mut self, transformations: Value) -> Self {
        self.more.insert("transformations".to_owned(), transformations);
        self
    }

    fn json(self, id: usize, (x, y): (u32, u32)) -> Value {
        let (w, h) = self.size;
        let place = json!({"x": x, "y": y, "w": w, "h": h});
        let kind = match self.kind {
            Kind::Row => {
                return json!({
                    "id": id, "type": "row", "title": self.title, "collapsed": false, "gridPos": place, "panels": [],
                });
            }
            Kind::Graph => "timeseries",
            Kind::Stat => "stat",
            Kind::Table => "table",
            Kind::Heatmap => "heatmap",
            Kind::Timeline => "state-timeline",
        };
        let mut defaults = self.defaults;
        defaults.insert("custom".to_owned(), Value::Object(self.custom));
        let mut panel = json!({
            "id": id, "type": kind, "title": self.title, "description": self.description, "gridPos": place,
            "datasource": datasource(), "targets": self.targets,
            "fieldConfig": {"defaults": defaults, "overrides": self.overrides}, "options": self.options,
        });
        self.more.into_iter().for_each(|(key, value)| panel[key] = value);
        panel
    }
}

/// A dashboard, from its panels in reading order: side by side while there is room, headings in a line of their own.
#[derive(Debug)]
pub(super) struct Dashboard {
    pub(super) uid: String,
    pub(super) title: String,
    pub(super) description: String,
    pub(super) variables: Vec<Value>,
    pub(super) annotations: Vec<Value>,
    pub(super) links: Vec<Value>,
    pub(super) panels: Vec<Panel>,
}

impl Dashboard {
    pub(super) fn text(self) -> String {
        let picker = json!({
            "type": "datasource", "name": "datasource", "label": "Data source", "query": "prometheus", "regex": "",
            "hide": 0, "multi": false, "includeAll": false, "refresh": 1, "options": [],
        });
        let variables: Vec<Value> = [picker].into_iter().chain(self.variables).collect();
        let dashboard = json!({
            "id": null, "uid": self.uid, "title": self.title, "description": self.description, "tags": [TAG],
            "schemaVersion": 39, "version": 1, "editable": false, "graphTooltip": 1, "timezone": "browser",
            "time": {"from": "now-6h", "to": "now"}, "refresh": "30s", "links": self.links,
            "annotations": {"list": self.annotations}, "templating": {"list": variables}, "panels": placed(self.panels),
        });
        // A tree of texts, numbers and lists is always written.
        serde_json::to_string_pretty(&dashboard).unwrap_or_default() + "\n"
    }
}

/// What dashboards of this kit are found by.
pub(super) const TAG: &str = "plimsoll";

fn placed(panels: Vec<Panel>) -> Vec<Value> {
    let (mut x, mut y, mut height) = (0, 0, 0);
    let mut all = Vec::with_capacity(panels.len());
    for panel in panels {
        let (w, h) = panel.size;
        if x + w > COLUMNS {
            (x, y, height) = (0, y + height, 0);
        }
        all.push(panel.json(all.len() + 1, (x, y)));
        (x, height) = (x + w, height.max(h));
    }
    all
}

/// `A`, `B`, …, `Z`, `A1`, …
fn reference(index: usize) -> String {
    let letter = char::from(b'A' + u8::try_from(index % 26).unwrap_or_default());
    if index < 26 { letter.to_string() } else { format!("{letter}{}", index / 26) }
}

/// Which jobs, and which of their instances: those that export the `series`.
pub(super) fn jobs_and_instances(series: impl Fn(&str) -> String) -> Vec<Value> {
    let variable = |name: &str, title: &str, query: String| {
        json!({
            "type": "query", "name": name, "label": title, "datasource": datasource(), "hide": 0, "multi": true,
            "includeAll": true, "allValue": ".+", "refresh": 2, "sort": 1, "regex": "", "options": [],
            "query": {"query": query, "refId": "StandardVariableQuery"},
            "current": {"selected": true, "text": ["All"], "value": ["$__all"]},
        })
    };
    vec![
        variable(JOB, "Job", format!("label_values({}, {JOB})", series(""))),
        variable(INSTANCE, "Instance", format!("label_values({}, {INSTANCE})", series(",job=~\"$job\""))),
    ]
}

/// Marks on every graph: when something fired.
pub(super) fn annotation(name: &str, colour: &str, expr: &str) -> Value {
    let tags = [label::SEVERITY, label::WINDOW, INSTANCE].join(",");
    let text = format!("{{{{{}}}}} {{{{{}}}}} {{{{guard}}}}", label::SLO, label::OBJECTIVE);
    // Up to version 10 the expression is looked for beside the target.
    json!({
        "name": name, "datasource": datasource(), "enable": true, "hide": false, "iconColor": colour, "expr": expr,
        "target": {"refId": "Anno", "expr": expr}, "titleFormat": "{{alertname}}", "step": "60s",
        "textFormat": text, "tagKeys": tags,
    })
}

/// A link on top of the dashboard.
pub(super) fn link(title: &str, url: &str, elsewhere: bool) -> Value {
    json!({
        "type": "link", "title": title, "url": url, "tooltip": "", "icon": if elsewhere { "doc" } else { "dashboard" },
        "tags": [], "asDropdown": false, "includeVars": false, "keepTime": !elsewhere, "targetBlank": elsewhere,
    })
}

/// A menu of all dashboards of this kind.
pub(super) fn all() -> Value {
    json!({
        "type": "dashboards", "title": "All SLOs", "url": "", "tooltip": "", "icon": "dashboard", "tags": [TAG],
        "asDropdown": true, "includeVars": false, "keepTime": true, "targetBlank": false,
    })
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
