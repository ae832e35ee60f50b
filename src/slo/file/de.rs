//! Reads a tree of values into a type, and says of a fault where it is.

use super::parse::{Node, Value};
use crate::error::Error;
use serde::de::value::{StrDeserializer, StringDeserializer};
use serde::de::{self, Deserialize, IntoDeserializer, Visitor};
use std::fmt;

/// What is wrong with a file, and where.
#[derive(Debug)]
pub(crate) struct Fault {
    /// From 1; 0 where it is not known.
    line: usize,
    /// The keys that lead there, the innermost first.
    path: Vec<String>,
    message: String,
}

impl Fault {
    pub(super) fn new(line: usize, message: impl Into<String>) -> Self {
        Self { line, path: Vec::new(), message: message.into() }
    }

    /// Found at a node, by what reads it.
    pub(crate) fn of(node: &Node, message: impl Into<String>) -> Self {
        Self::new(node.line(), message)
    }

    /// Found where no line is known.
    pub(crate) fn nowhere(message: impl Into<String>) -> Self {
        Self::new(0, message)
    }

    /// Inside of `key`, at `line` unless it is known better.
    pub(crate) fn inside(mut self, key: impl Into<String>, line: usize) -> Self {
        self.path.push(key.into());
        self.on(line)
    }

    fn on(mut self, line: usize) -> Self {
        if self.line == 0 {
            self.line = line;
        }
        self
    }

    pub(crate) fn into_error(self) -> Error {
        Error::unreadable(self.to_string())
    }
}

/// `line 7, slos[0].objectives[1].target: …`
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut path = String::new();
        for key in self.path.iter().rev() {
            if !path.is_empty() && !key.starts_with('[') {
                path.push('.');
            }
            path.push_str(key);
        }
        match (self.line, path.as_str()) {
            (0, "") => f.write_str(&self.message),
            (0, path) => write!(f, "{path}: {}", self.message),
            (line, "") => write!(f, "line {line}: {}", self.message),
            (line, path) => write!(f, "line {line}, {path}: {}", self.message),
        }
    }
}

impl std::error::Error for Fault {}

impl de::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(0, message.to_string())
    }
}

/// Reads a node as a `T`.
pub(crate) fn read_node<'de, T: Deserialize<'de>>(node: &'de Node) -> Result<T, Fault> {
    T::deserialize(node)
}

impl<'de> de::Deserializer<'de> for &'de Node {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let line = self.line();
        let read = match &self.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(b) => visitor.visit_bool(*b),
            Value::Unsigned(n) => visitor.visit_u64(*n),
            Value::Signed(n) => visitor.visit_i64(*n),
            Value::Float(n) => visitor.visit_f64(*n),
            Value::Text(text) => visitor.visit_borrowed_str(text),
            Value::List(items) => visitor.visit_seq(Items { rest: items.iter().enumerate() }),
            Value::Map(entries) => visitor.visit_map(Entries { rest: entries.iter(), value: None }),
        };
        read.map_err(|fault| fault.on(line))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self).map_err(|fault: Fault| fault.on(self.line())),
        }
    }

    /// A list or a map of which nothing is written after its key is empty.
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.value {
            Value::Null => visitor.visit_seq(Items { rest: [].iter().enumerate() }),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.value {
            Value::Null => visitor.visit_map(Entries { rest: [].iter(), value: None }),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self).map_err(|fault: Fault| fault.on(self.line()))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let Value::Text(text) = &self.value else {
            return Err(Fault::of(self, format!("expected one of {}", variants.join(", "))));
        };
        let text: StrDeserializer<'_, Fault> = text.as_str().into_deserializer();
        text.deserialize_enum(name, variants, visitor).map_err(|fault| fault.on(self.line()))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct tuple
        tuple_struct struct identifier ignored_any
    }
}

struct Items<'de> {
    rest: std::iter::Enumerate<std::slice::Iter<'de, Node>>,
}

impl<'de> de::SeqAccess<'de> for Items<'de> {
    type Error = Fault;

    fn next_element_seed<T: de::DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        let Some((i, node)) = self.rest.next() else { return Ok(None) };
        seed.deserialize(node).map(Some).map_err(|fault| fault.inside(format!("[{i}]"), node.line()))
    }
}

struct Entries<'de> {
    rest: std::slice::Iter<'de, (String, usize, Node)>,
    value: Option<&'de (String, usize, Node)>,
}

impl<'de> de::MapAccess<'de> for Entries<'de> {
    type Error = Fault;

    fn next_key_seed<K: de::DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        self.value = self.rest.next();
        let Some((key, line, _)) = self.value else { return Ok(None) };
        let name: StringDeserializer<Fault> = key.clone().into_deserializer();
        seed.deserialize(name).map(Some).map_err(|fault| fault.inside(key, *line))
    }

    fn next_value_seed<V: de::DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let Some((key, line, node)) = self.value.take() else {
            return Err(Fault::new(0, "a value without a key"));
        };
        seed.deserialize(node).map_err(|fault| fault.inside(key, *line))
    }
}
