//! TOML, YAML and JSON, read into one tree that knows its lines.

use super::de::Fault;
use super::{Format, LONGEST};
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use serde_saphyr::{MergeKeyPolicy, Spanned};
use std::collections::HashSet;
use std::fmt;
use toml::de::{DeTable, DeValue};
use toml_parser::Source;
use toml_parser::lexer::TokenKind;

/// How deep lists and maps may be nested.
const DEEPEST: usize = 32;

/// A value and the line it begins in, from 1.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    pub(crate) value: Value,
    line: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    /// In the order of the file: key, its line, value.
    Map(Vec<(String, usize, Node)>),
}

impl Node {
    pub(crate) fn line(&self) -> usize {
        self.line
    }

    /// What a map has under `key`.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        let Value::Map(entries) = &self.value else { return None };
        entries.iter().find(|(name, ..)| name == key).map(|(.., node)| node)
    }

    /// What it says, if it is a text.
    pub(crate) fn text(&self) -> Option<&str> {
        let Value::Text(text) = &self.value else { return None };
        Some(text)
    }

    pub(crate) fn is_list(&self) -> bool {
        matches!(self.value, Value::List(_))
    }

    /// The item of a list.
    pub(crate) fn item(&self, index: usize) -> Option<&Self> {
        self.items().get(index)
    }

    /// A fault at the end of `path`, keys and `[0]`s that lead there from here; in the line of what is found of it.
    pub(crate) fn fault(&self, path: &[&str], message: impl Into<String>) -> Fault {
        let mut node = Some(self);
        let mut line = self.line;
        for key in path {
            let index = key.strip_prefix('[').and_then(|key| key.strip_suffix(']')?.parse().ok());
            node = node.and_then(|node| index.map_or_else(|| node.get(key), |index| node.item(index)));
            line = node.map_or(line, Self::line);
        }
        path.iter().rev().fold(Fault::new(line, message), |fault, key| fault.inside(*key, line))
    }

    /// The items of a list; none of anything else.
    pub(crate) fn items(&self) -> &[Self] {
        let Value::List(items) = &self.value else { return &[] };
        items
    }
}

/// Every document in a text that is not empty; TOML and JSON have one.
pub(crate) fn documents(text: &[u8], format: Format) -> Result<Vec<Node>, Fault> {
    if text.len() > LONGEST {
        return Err(Fault::new(0, format!("over {LONGEST} bytes: no declarations are that long; split the file")));
    }
    let text = std::str::from_utf8(text).map_err(|error| {
        let line = text[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count() + 1;
        Fault::new(line, "bytes that are not UTF-8: save the file as UTF-8")
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    match format {
        Format::Yaml => yaml(text),
        Format::Json => json(text, &Lines::new(text)).map(|node| vec![node]),
        Format::Toml => toml(text).map(|node| vec![node]),
    }
}

/// Where lines begin.
struct Lines(Vec<usize>);

impl Lines {
    fn new(text: &str) -> Self {
        Self(text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1).collect())
    }

    fn of(&self, offset: usize) -> usize {
        self.0.partition_point(|begin| *begin <= offset) + 1
    }
}

fn too_deep(line: usize) -> Fault {
    Fault::new(line, format!("nested over {DEEPEST} deep: nothing here is; write it flatter"))
}

fn toml(text: &str) -> Result<Node, Fault> {
    let lines = Lines::new(text);
    no_deep_toml(text, &lines)?;
    let table = DeTable::parse(text).map_err(|error| {
        Fault::new(error.span().map_or(0, |span| lines.of(span.start)), format!("no TOML: {}", error.message()))
    })?;
    let line = lines.of(table.span().start);
    toml_map(table.into_inner(), &lines, line, 0)
}

/// Its parser bounds brackets and the dots of a key apart, and so lets through their product, deeper than a stack.
fn no_deep_toml(text: &str, lines: &Lines) -> Result<(), Fault> {
    let (mut around, mut depth, mut dots) = (Vec::new(), 0, 0);
    for token in Source::new(text).lex() {
        match token.kind() {
            TokenKind::LeftSquareBracket | TokenKind::LeftCurlyBracket => {
                around.push(dots + 1);
                depth += dots + 1;
                dots = 0;
            }
            TokenKind::RightSquareBracket | TokenKind::RightCurlyBracket => {
                depth -= around.pop().unwrap_or(0);
                dots = 0;
            }
            TokenKind::Comma | TokenKind::Newline => dots = 0,
            TokenKind::Dot => dots += 1,
            _ => {}
        }
        if depth + dots > DEEPEST {
            return Err(too_deep(lines.of(token.span().start())));
        }
    }
    Ok(())
}

fn toml_map(table: DeTable<'_>, lines: &Lines, line: usize, depth: usize) -> Result<Node, Fault> {
    let mut entries = Vec::with_capacity(table.len());
    for (key, value) in table {
        let line = lines.of(key.span().start);
        let node = toml_value(value, lines, depth + 1).map_err(|fault| fault.inside(key.get_ref().as_ref(), line))?;
        entries.push((key.into_inner().into_owned(), line, node));
    }
    // Tables come sorted by their keys; faults are best told in the order of the file.
    entries.sort_by_key(|(_, line, _)| *line);
    Ok(Node { value: Value::Map(entries), line })
}

fn toml_value(value: toml::Spanned<DeValue<'_>>, lines: &Lines, depth: usize) -> Result<Node, Fault> {
    let line = lines.of(value.span().start);
    if depth > DEEPEST {
        return Err(too_deep(line));
    }
    let value = match value.into_inner() {
        DeValue::String(text) => Value::Text(text.into_owned()),
        DeValue::Integer(given) => {
            let unsigned = u64::from_str_radix(given.as_str(), given.radix()).map(Value::Unsigned);
            let signed = unsigned.or_else(|_| i64::from_str_radix(given.as_str(), given.radix()).map(Value::Signed));
            signed.map_err(|_| Fault::new(line, "a number too large to be kept: write a smaller one"))?
        }
        DeValue::Float(given) => {
            let number = given.as_str().parse().map(Value::Float);
            number.map_err(|_| Fault::new(line, format!("{:?} is no number", given.as_str())))?
        }
        DeValue::Boolean(given) => Value::Bool(given),
        DeValue::Datetime(given) => Value::Text(given.to_string()),
        DeValue::Array(items) => {
            let items = items.into_iter().enumerate().map(|(i, item)| {
                toml_value(item, lines, depth + 1).map_err(|fault| fault.inside(format!("[{i}]"), line))
            });
            Value::List(items.collect::<Result<_, _>>()?)
        }
        DeValue::Table(table) => return toml_map(table, lines, line, depth),
    };
    Ok(Node { value, line })
}

fn json(text: &str, lines: &Lines) -> Result<Node, Fault> {
    let raw: &RawValue = serde_json::from_str(text).map_err(|error| no_json(&error))?;
    json_value(raw, text, lines, 0)
}

fn no_json(error: &serde_json::Error) -> Fault {
    Fault::new(error.line(), format!("no JSON: {error}"))
}

/// Each level is scanned again for its parts: at most [`DEEPEST`] times in all.
fn json_value(raw: &RawValue, text: &str, lines: &Lines, depth: usize) -> Result<Node, Fault> {
    // Both point into one string.
    let line = lines.of((raw.get().as_ptr() as usize).saturating_sub(text.as_ptr() as usize));
    if depth > DEEPEST {
        return Err(too_deep(line));
    }
    let part = |error: serde_json::Error| Fault::new(line, format!("no JSON: {error}"));
    let value = match raw.get().as_bytes().first() {
        Some(b'{') => {
            let Pairs(pairs) = serde_json::from_str(raw.get()).map_err(part)?;
            let mut entries = Vec::with_capacity(pairs.len());
            for (key, raw) in pairs {
                let node = json_value(raw, text, lines, depth + 1).map_err(|fault| fault.inside(&*key, line))?;
                entries.push((key, node.line, node));
            }
            Value::Map(once_each(entries)?)
        }
        Some(b'[') => {
            let items: Vec<&RawValue> = serde_json::from_str(raw.get()).map_err(part)?;
            let items = items.into_iter().enumerate().map(|(i, raw)| {
                json_value(raw, text, lines, depth + 1).map_err(|fault| fault.inside(format!("[{i}]"), line))
            });
            Value::List(items.collect::<Result<_, _>>()?)
        }
        _ => serde_json::from_str(raw.get()).map_err(part)?,
    };
    Ok(Node { value, line })
}

type Entry = (String, usize, Node);

fn once_each(entries: Vec<Entry>) -> Result<Vec<Entry>, Fault> {
    let mut seen = HashSet::new();
    match entries.iter().find(|(key, ..)| !seen.insert(key)) {
        Some((key, line, _)) => Err(Fault::new(0, "the key is there twice: keep one").inside(key, *line)),
        None => Ok(entries),
    }
}

/// The pairs of an object, as they come.
struct Pairs<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Pairs<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Each;
        impl<'de> Visitor<'de> for Each {
            type Value = Pairs<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs<'de>, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Each)
    }
}

fn yaml(text: &str) -> Result<Vec<Node>, Fault> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: DEEPEST,
            flow_nesting_limit: DEEPEST,
            max_events: 200_000,
            max_nodes: 100_000,
            max_aliases: 1_000,
            max_anchors: 1_000,
            max_documents: 1_000,
            max_merge_keys: 1_000,
            max_recorded_anchor_events: 20_000,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: 20_000,
            max_replay_stack_depth: 8,
        },
        merge_keys: MergeKeyPolicy::Merge,
        strict_booleans: true,
        with_snippet: false,
        reject_unsupported_tags: true,
    };
    let nodes: Vec<Node> = serde_saphyr::from_multiple_with_options(text, options).map_err(|error| {
        let line = error.location().map_or(0, |location| location.line());
        Fault::new(usize::try_from(line).unwrap_or(0), format!("no YAML: {error}"))
    })?;
    Ok(nodes.into_iter().filter(|node| node.value != Value::Null).collect())
}

/// With its line, from YAML.
impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Spanned { value, referenced, .. } = Spanned::<Value>::deserialize(deserializer)?;
        Ok(Self { value, line: usize::try_from(referenced.line()).unwrap_or(0) })
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Any)
    }
}

/// Any value, scalar or not.
struct Any;

impl<'de> Visitor<'de> for Any {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        Value::deserialize(deserializer)
    }

    fn visit_bool<E: de::Error>(self, given: bool) -> Result<Value, E> {
        Ok(Value::Bool(given))
    }

    fn visit_u64<E: de::Error>(self, given: u64) -> Result<Value, E> {
        Ok(Value::Unsigned(given))
    }

    fn visit_i64<E: de::Error>(self, given: i64) -> Result<Value, E> {
        Ok(u64::try_from(given).map_or(Value::Signed(given), Value::Unsigned))
    }

    fn visit_f64<E: de::Error>(self, given: f64) -> Result<Value, E> {
        Ok(Value::Float(given))
    }

    fn visit_str<E: de::Error>(self, given: &str) -> Result<Value, E> {
        Ok(Value::Text(given.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(node) = items.next_element()? {
            list.push(node);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut entries = Vec::new();
        while let Some((key, node)) = map.next_entry::<Spanned<String>, Node>()? {
            entries.push((key.value, usize::try_from(key.referenced.line()).unwrap_or(0), node));
        }
        Ok(Value::Map(entries))
    }
}
