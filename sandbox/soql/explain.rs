//! `explain`: how a query would be run (REST API Developer Guide, Query Performance Feedback).

use super::candidates::candidates;
use super::filter::Filter;
use super::plan::Plan;
use crate::org::{ApiError, Org};
use crate::schema::Schema;
use serde_json::{Value as Json, json};

/// Cost of a walk through all rows, relative to where an index pays; a figure of the vendor's example.
const SCAN_COST: f64 = 0.65;
/// An index pays below one row in ten.
const SELECTIVE: f64 = 0.1;

/// The plans, cheapest first.
///
/// # Errors
/// QUERY_TOO_COMPLICATED.
pub fn plans(org: &Org, plan: &Plan) -> Result<Vec<Json>, ApiError> {
    let (schema, table) = (org.schema(), org.table(plan.object));
    let all = table.size();
    let filter = plan.resolved(org)?;
    let mut found: Vec<(f64, Json)> = Vec::new();
    for test in filter.as_deref().map(alternatives).unwrap_or_default() {
        let Some(ids) = candidates(org, plan.object, test, all) else {
            continue;
        };
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        let cost = ids.len() as f64 / (all.max(1) as f64 * SELECTIVE);
        found.push((
            cost,
            described(
                &schema,
                plan,
                ids.len(),
                all,
                ("Index", &fields(&schema, plan, test)),
                cost,
            ),
        ));
    }
    let rows = plan.count(org)?;
    found.push((
        SCAN_COST,
        described(&schema, plan, rows, all, ("TableScan", &[]), SCAN_COST),
    ));
    found.sort_by(|a, b| a.0.total_cmp(&b.0));
    Ok(found.into_iter().map(|(_, json)| json).collect())
}

/// Conditions of which each alone could choose the rows.
fn alternatives(filter: &Filter) -> Vec<&Filter> {
    match filter {
        Filter::All(all) => all.iter().collect(),
        other => vec![other],
    }
}

fn fields(schema: &Schema, plan: &Plan, filter: &Filter) -> Vec<String> {
    let mut names = Vec::new();
    collect(schema, plan, filter, &mut names);
    names.dedup();
    names
}

fn collect(schema: &Schema, plan: &Plan, filter: &Filter, names: &mut Vec<String>) {
    match filter {
        Filter::All(all) | Filter::Any(all) => all.iter().for_each(|f| collect(schema, plan, f, names)),
        Filter::Not(inner) => collect(schema, plan, inner, names),
        Filter::Test(scalar, _) => {
            if let Some(at) = scalar.path().own_field() {
                names.push(schema.at(plan.object).fields[at].name.clone());
            }
        }
        Filter::SemiJoin(..) => {}
    }
}

fn described(
    schema: &Schema,
    plan: &Plan,
    rows: usize,
    all: usize,
    (operation, fields): (&str, &[String]),
    cost: f64,
) -> Json {
    let object = &schema.at(plan.object).name;
    let note = json!({
        "description": "Not considering filter for optimization because unindexed", "fields": ["IsDeleted"],
        "tableEnumOrId": object,
    });
    let notes = if schema.at(plan.object).system.is_deleted.is_some() {
        vec![note]
    } else {
        Vec::new()
    };
    json!({
        "cardinality": rows, "fields": fields, "leadingOperationType": operation, "notes": notes,
        "relativeCost": cost, "sobjectCardinality": all, "sobjectType": object,
    })
}
