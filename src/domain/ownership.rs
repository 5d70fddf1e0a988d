//! The ownership matrix: for every synced field, whose value counts, and when.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::error::{Code, Error, Result};
use crate::quote::Status;
use crate::view::FieldName;

/// One of the two systems.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The CRM.
    Crm,
    /// The CPQ.
    Cpq,
}

impl Side {
    /// The other one.
    #[must_use]
    pub fn other(self) -> Side {
        match self {
            Side::Crm => Side::Cpq,
            Side::Cpq => Side::Crm,
        }
    }

    /// `CRM` or `CPQ`.
    pub fn as_str(self) -> &'static str {
        match self {
            Side::Crm => "CRM",
            Side::Cpq => "CPQ",
        }
    }
}

/// How the owner's value reaches the other side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = OverwritePolicy))]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    /// The owner's value wins; the other side is corrected, and what it held is recorded.
    Always,
    /// Written only where the other side is blank.
    IfBlank,
    /// Copied once when the quote is created; after that each side lives its own life.
    Seed,
    /// As `always` while the quote is a draft, then frozen.
    Snapshot,
    /// The owner's changes reach the draft as they happen; what the other side changed there itself stays until the
    /// owner changes the same field. Frozen once the quote leaves draft.
    Follow,
    /// Only forward along the rule's `order`.
    Forward,
    /// Computed by the owner and read-only on the other side.
    Computed,
    /// Either side may change it; if both did, a person decides.
    Review,
    /// Either side may change it; if both did, the later change wins, and inside the clock tolerance a person decides.
    Newest,
    /// Not synced.
    Never,
}

impl Policy {
    /// The name in the matrix.
    pub fn as_str(self) -> &'static str {
        match self {
            Policy::Always => "always",
            Policy::IfBlank => "if_blank",
            Policy::Seed => "seed",
            Policy::Snapshot => "snapshot",
            Policy::Follow => "follow",
            Policy::Forward => "forward",
            Policy::Computed => "computed",
            Policy::Review => "review",
            Policy::Newest => "newest",
            Policy::Never => "never",
        }
    }
}

/// When a rule holds. All named parts must hold; an empty condition always does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = OwnershipCondition))]
#[serde(default, deny_unknown_fields)]
pub struct Condition {
    /// Stages of the opportunity.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stage: Vec<String>,
    /// States of the quote.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub quote_status: Vec<Status>,
    /// Whether the quote is the primary one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub primary: Option<bool>,
    /// Record types of the opportunity, by developer name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub record_type: Vec<String>,
    /// First day.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "day")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = Date))]
    pub from: Option<Date>,
    /// Last day.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "day")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = Date))]
    pub until: Option<Date>,
}

/// A day as text, or as TOML's own kind of date.
fn day<'de, D: serde::Deserializer<'de>>(source: D) -> std::result::Result<Option<Date>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Day {
        Text(Date),
        Toml(toml::value::Datetime),
    }
    match Day::deserialize(source) {
        Ok(Day::Text(day)) => Ok(Some(day)),
        Ok(Day::Toml(day)) => day
            .to_string()
            .parse()
            .map(Some)
            .map_err(serde::de::Error::custom),
        Err(_) => Err(serde::de::Error::custom("expected a day such as 2026-12-31")),
    }
}

/// What conditions are checked against.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Stage of the opportunity.
    pub stage: Option<String>,
    /// Record type of the opportunity.
    pub record_type: Option<String>,
    /// State of the quote; `None` when there is no quote yet.
    pub quote_status: Option<Status>,
    /// Whether the quote is the primary one.
    pub primary: Option<bool>,
    /// Today, in UTC.
    pub today: Date,
}

impl Condition {
    /// Whether it holds.
    pub fn holds(&self, facts: &Facts) -> bool {
        let listed = |list: &[String], value: &Option<String>| {
            list.is_empty() || value.as_ref().is_some_and(|value| list.contains(value))
        };
        let status = self.quote_status.is_empty()
            || facts.quote_status.is_some_and(|s| self.quote_status.contains(&s));
        let primary = self.primary.is_none() || self.primary == facts.primary;
        let started = self.from.is_none_or(|from| from <= facts.today);
        let lasts = self.until.is_none_or(|until| facts.today <= until);
        listed(&self.stage, &facts.stage)
            && listed(&self.record_type, &facts.record_type)
            && status
            && primary
            && started
            && lasts
    }
}

/// Who owns a field, and how the value travels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct OwnershipRule {
    /// Canonical field, or `line.exists` for the set of lines.
    #[serde(alias = "field")]
    pub field_name: FieldName,
    /// The side whose value counts.
    #[serde(alias = "owner")]
    pub owner_system: Side,
    /// How it travels.
    #[serde(alias = "policy")]
    pub overwrite_policy: Policy,
    /// When the rule holds.
    #[serde(default)]
    pub when: Condition,
    /// Order of values for `forward`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub order: Vec<String>,
    /// Why it is so, in a sentence for whoever asks later.
    #[serde(default)]
    pub reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MatrixFile {
    #[serde(default, rename = "rule")]
    rules: Vec<toml::Spanned<OwnershipRule>>,
}

/// A rule and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Line in the file, from 1.
    pub line: usize,
    /// The rule.
    pub rule: OwnershipRule,
}

/// The rules of a matrix as they are written.
///
/// # Errors
/// [`Code::OwnershipInvalid`] with the place when the text is no matrix.
pub fn read(text: &str) -> Result<Vec<Placed>> {
    let file: MatrixFile = toml::from_str(text).map_err(|error| {
        Error::new(
            Code::OwnershipInvalid,
            format!("the ownership matrix does not parse: {}", error.message()),
        )
        .fact(
            "at",
            error
                .span()
                .map(|span| line_and_column(text, span.start))
                .unwrap_or_default(),
        )
        .cause(error)
    })?;
    let rules = file.rules.into_iter().map(|rule| {
        let before = &text[..rule.span().start.min(text.len())];
        let line = before.matches('\n').count() + 1;
        let rule = rule.into_inner();
        check(&rule)?;
        Ok(Placed { line, rule })
    });
    rules.collect()
}

/// All rules, by field, in the order in which they are tried.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matrix {
    rules: BTreeMap<FieldName, Vec<OwnershipRule>>,
    version: String,
}

impl Matrix {
    /// Reads a matrix from TOML. `version` is stored with every decision made under it.
    pub fn parse(text: &str, version: impl Into<String>) -> Result<Matrix> {
        let mut rules: BTreeMap<FieldName, Vec<OwnershipRule>> = BTreeMap::new();
        for Placed { rule, .. } in read(text)? {
            rules.entry(rule.field_name.clone()).or_default().push(rule);
        }
        rules.values().try_for_each(|list| check_reachable(list))?;
        Ok(Matrix {
            rules,
            version: version.into(),
        })
    }

    /// Which text this matrix was made from.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The rules of all fields, by field.
    pub fn rules(&self) -> impl Iterator<Item = &OwnershipRule> {
        self.rules.values().flatten()
    }

    /// All fields that have a rule.
    pub fn fields(&self) -> impl Iterator<Item = &FieldName> {
        self.rules.keys()
    }

    /// Fields whose rules another matrix has differently, in order, each with its rules here and there. What only the
    /// reason tells apart is no difference in what happens, and is one all the same to who reads it.
    pub fn differences<'a>(&'a self, other: &'a Matrix) -> Vec<Difference<'a>> {
        let names: BTreeSet<&FieldName> = self.rules.keys().chain(other.rules.keys()).collect();
        let of = |matrix: &'a Matrix, name: &FieldName| {
            matrix.rules.get(name).map(Vec::as_slice).unwrap_or_default()
        };
        let pairs = names.into_iter().map(|field| Difference {
            field,
            before: of(self, field),
            after: of(other, field),
        });
        pairs.filter(|pair| pair.before != pair.after).collect()
    }

    /// All rules of a field, in the order in which they are tried.
    pub fn rules_of(&self, field: &str) -> &[OwnershipRule] {
        self.rules.get(field).map(Vec::as_slice).unwrap_or_default()
    }

    /// The rule that holds for a field now: the first whose condition holds.
    pub fn rule(&self, field: &str, facts: &Facts) -> Option<&OwnershipRule> {
        self.rules_of(field).iter().find(|rule| rule.when.holds(facts))
    }
}

/// A field that two matrices treat differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Difference<'a> {
    /// The field.
    pub field: &'a FieldName,
    /// Its rules in the one; empty when it has none.
    pub before: &'a [OwnershipRule],
    /// Its rules in the other.
    pub after: &'a [OwnershipRule],
}

fn check(rule: &OwnershipRule) -> Result<()> {
    let refuse = |why: &str| {
        let field = rule.field_name.as_str();
        Err(Error::new(
            Code::OwnershipInvalid,
            format!("the ownership rule of {field} {why}"),
        )
        .field(field))
    };
    if rule.field_name.object().is_empty() {
        return refuse("names no object: write object.field, e.g. quote.status");
    }
    if (rule.overwrite_policy == Policy::Forward) == rule.order.is_empty() {
        return refuse("must have an `order` exactly if its policy is forward");
    }
    Ok(())
}

/// A rule behind one that always holds can never be reached, which is never what its author meant.
fn check_reachable(rules: &[OwnershipRule]) -> Result<()> {
    let Some(open) = rules.iter().position(|rule| rule.when == Condition::default()) else {
        return Ok(());
    };
    if open + 1 == rules.len() {
        return Ok(());
    }
    let field = rules[open].field_name.as_str();
    Err(Error::new(
        Code::OwnershipInvalid,
        format!("{field} has a rule behind one that always holds"),
    )
    .field(field))
}

fn line_and_column(text: &str, offset: usize) -> String {
    let before = &text[..offset.min(text.len())];
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    format!("line {line}, column {column}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = "
        [[rule]]
        field = 'account.name'
        owner = 'crm'
        policy = 'always'
        when = { quote_status = ['draft'] }
        [[rule]]
        field = 'account.name'
        owner = 'cpq'
        policy = 'never'
    ";

    #[test]
    fn the_first_rule_whose_condition_holds_counts() {
        let matrix = Matrix::parse(TWO, "t").expect("it parses");
        let mut facts = Facts {
            quote_status: Some(Status::Draft),
            ..Facts::default()
        };
        assert_eq!(
            matrix.rule("account.name", &facts).map(|rule| rule.owner_system),
            Some(Side::Crm)
        );
        facts.quote_status = Some(Status::Sent);
        assert_eq!(
            matrix.rule("account.name", &facts).map(|rule| rule.owner_system),
            Some(Side::Cpq)
        );
    }

    #[test]
    fn differences_are_told_by_field() {
        let (one, other) = (
            Matrix::parse(TWO, "1").expect("it parses"),
            Matrix::parse(
                "[[rule]]\nfield = 'quote.name'\nowner = 'cpq'\npolicy = 'seed'\n",
                "2",
            )
            .expect("it parses"),
        );
        assert_eq!(one.differences(&one), []);
        let told: Vec<_> = one
            .differences(&other)
            .iter()
            .map(|one| (one.field.as_str().to_owned(), one.before.len(), one.after.len()))
            .collect();
        assert_eq!(
            told,
            [("account.name".to_owned(), 2, 0), ("quote.name".to_owned(), 0, 1)]
        );
    }

    #[test]
    fn a_bad_matrix_is_refused_with_the_place() {
        let error = Matrix::parse("\n[[rule]]\nfield = 1\n", "t").unwrap_err();
        assert_eq!(error.code, Code::OwnershipInvalid);
        assert_eq!(error.facts.expect("facts")["at"], "line 3, column 9");
    }

    #[test]
    fn a_rule_that_nothing_reaches_is_refused() {
        let open = "[[rule]]\nfield='a.b'\nowner='crm'\npolicy='always'\n";
        let error = Matrix::parse(&format!("{open}{open}"), "t").unwrap_err();
        assert!(error.to_string().contains("always holds"), "{error}");
    }
}
