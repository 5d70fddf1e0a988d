//! Looks up the names of a formula and checks what can be checked before there is a record.

use super::Formula;
use super::ast::{Expr, FieldPath, Op, Parsed};
use super::functions::Function;
use crate::schema::{Kind, Schema};

/// Most parents that a path climbs (Salesforce Help, Cross-Object Formulas: ten relationships).
const HOPS: usize = 10;

/// Looks up every name.
///
/// # Errors
/// Names the unknown field or function, the wrong number of arguments, the picklist where none may stand.
pub fn bind(schema: &Schema, object: usize, parsed: Parsed) -> Result<Formula, String> {
    let mut binder = Binder {
        schema,
        object,
        paths: Vec::new(),
        unstable: None,
    };
    let expr = binder.expr(parsed)?;
    Ok(Formula {
        expr,
        paths: binder.paths,
        unstable: binder.unstable,
    })
}

struct Binder<'a> {
    schema: &'a Schema,
    object: usize,
    paths: Vec<FieldPath>,
    unstable: Option<&'static str>,
}

impl Binder<'_> {
    fn expr(&mut self, parsed: Parsed) -> Result<Expr, String> {
        Ok(match parsed {
            Parsed::Literal(value) => Expr::Literal(value),
            Parsed::Name(name) => Expr::Field(self.path(&name)?),
            Parsed::Negative(inner) => Expr::Negative(Box::new(self.plain(*inner)?)),
            Parsed::Not(inner) => Expr::Not(Box::new(self.expr(*inner)?)),
            Parsed::Binary(op, left, right) => self.binary(op, *left, *right)?,
            Parsed::Call(name, arguments) => self.call(&name, arguments)?,
        })
    }

    fn binary(&mut self, op: Op, left: Parsed, right: Parsed) -> Result<Expr, String> {
        let (left, right) = (self.plain(left)?, self.plain(right)?);
        Ok(Expr::Binary(op, Box::new(left), Box::new(right)))
    }

    fn call(&mut self, name: &str, arguments: Vec<Parsed>) -> Result<Expr, String> {
        let function = Function::parse(name).ok_or_else(|| format!("unknown function {name}"))?;
        if !function.takes(arguments.len()) {
            return Err(format!("{name} does not take {} arguments", arguments.len()));
        }
        if function.changes_by_itself() {
            self.unstable = Some(function.name());
        }
        let mut bound = Vec::with_capacity(arguments.len());
        for argument in arguments {
            bound.push(match function.takes_picklists() {
                true => self.expr(argument)?,
                false => self.plain(argument)?,
            });
        }
        if function.wants_field() && !matches!(bound.first(), Some(Expr::Field(_))) {
            return Err(format!("{name} takes a field"));
        }
        Ok(Expr::Call(function, bound))
    }

    /// An expression that is no picklist as such; a real org accepts those in a few functions only.
    fn plain(&mut self, parsed: Parsed) -> Result<Expr, String> {
        let name = match &parsed {
            Parsed::Name(name) => Some(name.clone()),
            _ => None,
        };
        let expr = self.expr(parsed)?;
        match (&expr, name) {
            (Expr::Field(path), Some(name)) if is_picklist(path.kind) => Err(format!(
                "Field {name} is a picklist field. Picklist fields are only supported in certain functions."
            )),
            _ => Ok(expr),
        }
    }

    fn path(&mut self, name: &str) -> Result<FieldPath, String> {
        let mut segments: Vec<&str> = name.split('.').collect();
        let unknown = || format!("Field {name} does not exist. Check spelling.");
        let last = segments.pop().ok_or_else(unknown)?;
        if segments.len() > HOPS {
            return Err(format!("{name} climbs more than {HOPS} relationships"));
        }
        let mut at = self.object;
        let mut hops = Vec::with_capacity(segments.len());
        for segment in segments {
            let object = self.schema.at(at);
            let field = object.relationship(segment).ok_or_else(unknown)?;
            let reference = object.fields[field].reference.as_ref();
            at = reference
                .filter(|r| !r.polymorphic)
                .and_then(|r| r.objects.first().copied())
                .ok_or_else(unknown)?;
            hops.push((field, at));
        }
        let object = self.schema.at(at);
        let field = object.position(last).ok_or_else(unknown)?;
        let kind = object.fields[field].kind;
        if kind == Kind::Address {
            return Err(format!("{name} cannot stand in a formula"));
        }
        let path = FieldPath { hops, field, kind };
        if !self.paths.contains(&path) {
            self.paths.push(path.clone());
        }
        Ok(path)
    }
}

fn is_picklist(kind: Kind) -> bool {
    matches!(kind, Kind::Picklist | Kind::MultiPicklist)
}
