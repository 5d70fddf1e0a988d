//! Expressions of a field mapping: one value in, one value out.
//!
//! They are rhai expressions (The Rhai Book, "Expression Evaluation Only") over exact decimals. Nothing can be reached
//! from one but the value and what was read beside it: no statements, loops, functions of their own, modules, clock or
//! files. Every dimension has a limit, so that none can hold a sync up.

use std::sync::OnceLock;

use cpq_domain::limits::CONTEXT_CHARS;
use rhai::packages::{
    ArithmeticPackage, BasicArrayPackage, BasicMathPackage, BasicStringPackage, LogicPackage,
    MoreStringPackage, Package,
};
use rhai::{AST, Dynamic, Engine, EvalAltResult, Map, Position, Scope};
use rust_decimal::Decimal;

use crate::json::Node;

/// Characters of an expression: a page.
const CHARS: usize = 2_000;
/// Steps of one evaluation. The longest sensible ones take a few hundred.
const OPERATIONS: u64 = 10_000;
/// How deep an expression may be nested.
const DEPTH: usize = 32;
/// Entries of a list (a Salesforce multi-select picklist holds 500 values).
const ENTRIES: usize = 500;
/// Other fields that one expression may look at.
const READS: usize = 20;

/// A compiled expression.
pub(crate) struct Expression {
    text: String,
    ast: AST,
    reads: Vec<String>,
}

/// Why a text is no expression, and where, in characters from the start of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unclear {
    pub(crate) why: String,
    pub(crate) at: usize,
}

/// What an expression can see.
pub(crate) struct Seen<'a> {
    pub(crate) value: Dynamic,
    pub(crate) currency: &'a str,
    /// The row that the value was read from; none where only the value is known.
    pub(crate) record: Option<&'a Node>,
}

impl std::fmt::Debug for Expression {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Expression({:?})", self.text)
    }
}

impl Expression {
    /// Compiles a text. Without `record` only `value` and `currency` can be named.
    ///
    /// # Errors
    /// Why it is none, and where.
    pub(crate) fn compile(text: &str, record: bool) -> Result<Expression, Unclear> {
        let unclear = |why: String, at: usize| Err(Unclear { why, at });
        if text.chars().count() > CHARS {
            return unclear(format!("is longer than {CHARS} characters"), 0);
        }
        let (reads, indexed) = reads(text);
        if let Some(at) = indexed {
            return unclear(
                "names a field of `record` in brackets; write record.Field".to_owned(),
                at,
            );
        }
        if reads.len() > READS {
            return unclear(format!("looks at more than {READS} other fields"), 0);
        }
        // Variables, not constants: what the compiler knows of a constant it works into the expression.
        let mut scope = Scope::new();
        scope.push("value", ()).push("currency", "");
        if record {
            scope.push("record", Map::new());
        }
        let ast = engine()
            .compile_expression_with_scope(&scope, text)
            .map_err(|error| {
                let at = offset(text, error.position());
                let why = match text.contains("record") && !record {
                    true if error.to_string().contains("record") => {
                        "cannot look at `record` here: when a field is written only its value is known"
                            .to_owned()
                    }
                    _ => plain(&error.err_type().to_string()),
                };
                Unclear { why, at }
            })?;
        let made = Expression {
            text: text.to_owned(),
            ast,
            reads,
        };
        made.known_functions()?;
        Ok(made)
    }

    /// The expression as it was written.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Paths of the other fields that it looks at, seen from the row.
    pub(crate) fn reads(&self) -> &[String] {
        &self.reads
    }

    /// Its value.
    ///
    /// # Errors
    /// What went wrong, with the expression and the value that it was given.
    pub(crate) fn eval(&self, seen: Seen) -> Result<Node, String> {
        let given = shown(&seen.value);
        let wrong = |why: String| format!("`{}` fails for {given}: {why}", self.text);
        let mut scope = Scope::new();
        scope.push_constant_dynamic("value", seen.value);
        scope.push_constant("currency", seen.currency.to_owned());
        if let Some(row) = seen.record {
            scope.push_constant("record", self.record(row).map_err(&wrong)?);
        }
        let result = self
            .run(&mut scope)
            .map_err(|error| wrong(plain(&error.to_string())))?;
        node(result).map_err(wrong)
    }

    fn run(&self, scope: &mut Scope) -> Result<Dynamic, Box<EvalAltResult>> {
        engine().eval_ast_with_scope::<Dynamic>(scope, &self.ast)
    }

    /// The fields that it looks at, nested as their paths are.
    fn record(&self, row: &Node) -> Result<Map, String> {
        let mut record = Map::new();
        for path in &self.reads {
            let found = row
                .at(path.split('.'))
                .ok_or_else(|| format!("the row has no {path}"))?;
            put(&mut record, path, found);
        }
        Ok(record)
    }

    /// A function that no value has is a slip of the pen, and is found before any value is there.
    fn known_functions(&self) -> Result<(), Unclear> {
        if !self.reads.is_empty() {
            return Ok(());
        }
        let list: rhai::Array = vec!["a".into()];
        let tries = [Decimal::ONE.into(), "a".into(), true.into(), Dynamic::from(list)];
        let mut missing = None;
        for value in tries {
            let mut scope = Scope::new();
            scope.push_constant_dynamic("value", value);
            scope.push_constant("currency", "USD");
            match self.run(&mut scope).map_err(|error| *error) {
                Err(EvalAltResult::ErrorFunctionNotFound(name, at)) => {
                    let name = name.split(' ').next().unwrap_or_default().to_owned();
                    if missing.as_ref().is_some_and(|(known, _)| *known != name) {
                        return Ok(());
                    }
                    missing = Some((name, at));
                }
                _ => return Ok(()),
            }
        }
        match missing {
            Some((name, at)) => Err(Unclear {
                why: format!("uses {name}, which no value has"),
                at: offset(&self.text, at),
            }),
            None => Ok(()),
        }
    }
}

/// Made once: it is the same for all expressions.
fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| {
        let mut engine = Engine::new_raw();
        // Package by package: the core package has `sleep`, which would hold up a thread.
        for module in [
            ArithmeticPackage::new().as_shared_module(),
            LogicPackage::new().as_shared_module(),
            BasicMathPackage::new().as_shared_module(),
            BasicStringPackage::new().as_shared_module(),
            MoreStringPackage::new().as_shared_module(),
            BasicArrayPackage::new().as_shared_module(),
        ] {
            engine.register_global_module(module);
        }
        engine
            .set_strict_variables(true)
            .set_allow_looping(false)
            .set_max_operations(OPERATIONS)
            .set_max_expr_depths(DEPTH)
            .set_max_string_size(CONTEXT_CHARS * 4)
            .set_max_array_size(ENTRIES)
            .set_max_map_size(READS * 2);
        for symbol in ["eval", "print", "debug"] {
            engine.disable_symbol(symbol);
        }
        engine
    })
}

/// The fields of `record` that a text names, and where it opens a bracket behind it. Text in quotes is read as well,
/// and at worst a field too many is asked for.
fn reads(text: &str) -> (Vec<String>, Option<usize>) {
    let mut found: Vec<String> = Vec::new();
    let mut indexed = None;
    for (at, _) in text.match_indices("record") {
        let before = text[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '.') {
            continue;
        }
        let rest = &text[at + "record".len()..];
        if rest.trim_start().starts_with('[') {
            indexed = indexed.or(Some(text[..at].chars().count()));
        }
        let Some(rest) = rest.strip_prefix('.') else {
            continue;
        };
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '.'));
        let path = path_of(
            &rest[..end.unwrap_or(rest.len())],
            end.is_some_and(|end| rest[end..].starts_with('(')),
        );
        if !path.is_empty() && !found.contains(&path) {
            found.push(path);
        }
    }
    (found, indexed)
}

/// Without the method that is called on the field, if one is.
fn path_of(text: &str, called: bool) -> String {
    let text = text.trim_end_matches('.');
    match called {
        true => text
            .rsplit_once('.')
            .map_or(String::new(), |(path, _)| path.to_owned()),
        false => text.to_owned(),
    }
}

fn put(record: &mut Map, path: &str, value: &Node) {
    let Some((parent, rest)) = path.split_once('.') else {
        record.insert(path.into(), dynamic(value));
        return;
    };
    let mut inner = match record.remove(parent).map(Dynamic::try_cast::<Map>) {
        Some(Some(inner)) => inner,
        _ => Map::new(),
    };
    put(&mut inner, rest, value);
    record.insert(parent.into(), inner.into());
}

/// A value as an expression sees it: numbers are exact decimals, and nothing is `()`.
pub(crate) fn dynamic(node: &Node) -> Dynamic {
    match node {
        Node::Null | Node::Object(_) => Dynamic::UNIT,
        Node::Bool(yes) => (*yes).into(),
        Node::Number(number) => number.normalize().into(),
        Node::Text(text) => text.as_str().into(),
        Node::List(entries) => entries.iter().map(dynamic).collect::<Vec<_>>().into(),
    }
}

fn node(value: Dynamic) -> Result<Node, String> {
    let name = value.type_name();
    if value.is_unit() {
        return Ok(Node::Null);
    }
    if let Some(yes) = value.clone().try_cast::<bool>() {
        return Ok(Node::Bool(yes));
    }
    if let Some(number) = value.clone().try_cast::<Decimal>() {
        return Ok(Node::Number(number.normalize()));
    }
    if let Some(number) = value.clone().try_cast::<rhai::INT>() {
        return Ok(Node::Number(number.into()));
    }
    if let Some(letter) = value.clone().try_cast::<char>() {
        return Ok(Node::Text(letter.to_string()));
    }
    if let Some(entries) = value.clone().try_cast::<rhai::Array>() {
        return Ok(Node::List(
            entries.into_iter().map(node).collect::<Result<_, _>>()?,
        ));
    }
    match value.into_string() {
        Ok(text) => Ok(Node::Text(text)),
        Err(_) => Err(format!("its result is of type {name}")),
    }
}

fn shown(value: &Dynamic) -> String {
    let text: String = value.to_string().chars().take(80).collect();
    if value.is_string() {
        format!("{text:?}")
    } else {
        text
    }
}

/// Where a position is in a text, in characters.
fn offset(text: &str, position: Position) -> usize {
    let (Some(line), column) = (position.line(), position.position().unwrap_or(1)) else {
        return text.chars().count();
    };
    let before: usize = text
        .split('\n')
        .take(line - 1)
        .map(|line| line.chars().count() + 1)
        .sum();
    before + column - 1
}

/// Without the place, which is told by line and caret.
fn plain(message: &str) -> String {
    let end = message.find(" (line ").unwrap_or(message.len());
    message[..end].trim().to_owned()
}

#[cfg(test)]
mod tests;
