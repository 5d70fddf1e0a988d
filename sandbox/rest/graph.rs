//! `/composite/graph`: graphs of sub-requests, each all or nothing (REST API Developer Guide, Composite Graphs).

use super::composite::{Part, PartAnswer, check_count, check_parts, read};
use super::door::{Ask, Door};
use super::target::Version;
use super::{DataResponse, ok};
use crate::org::ApiError;
use http::Method;
use serde::Deserialize;
use serde_json::{Value as Json, json};
use std::collections::HashSet;

/// Most graphs in a call.
const GRAPHS: usize = 75;
/// Most sub-requests in all graphs together.
const NODES: usize = 500;
/// Longest chain of references.
const DEPTH: usize = 15;
/// After so many failed graphs the rest is not tried.
const FAILURES: usize = 14;
/// Most kinds of nodes in a graph: version, method and object together.
const KINDS: usize = 15;
/// Longest graph id.
const GRAPH_ID: usize = 40;

#[derive(Debug, Deserialize)]
struct Graphs {
    graphs: Vec<Graph>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Graph {
    graph_id: String,
    composite_request: Vec<Part>,
}

impl Door<'_> {
    /// `POST /composite/graph`.
    pub(super) fn graph(&mut self, ask: &Ask, version: &Version) -> Result<DataResponse, ApiError> {
        if ask.method != Method::POST {
            return Err(ask.not_allowed("POST"));
        }
        let Graphs { graphs } = read(ask)?;
        check_count(graphs.len(), GRAPHS, "graphs")?;
        check_count(
            graphs.iter().map(|g| g.composite_request.len()).sum(),
            NODES,
            "nodes",
        )?;
        let mut ids = HashSet::new();
        for graph in &graphs {
            check_graph(graph, version, &mut ids)?;
        }
        let mut failures = 0;
        let mut out = Vec::with_capacity(graphs.len());
        for graph in &graphs {
            let answers = if failures < FAILURES {
                self.run_graph(graph)
            } else {
                halt(graph)
            };
            let successful = !answers
                .iter()
                .any(|entry| entry["httpStatusCode"].as_u64() >= Some(400));
            failures += usize::from(!successful);
            out.push(json!({
                "graphId": graph.graph_id, "graphResponse": {"compositeResponse": answers},
                "isSuccessful": successful,
            }));
        }
        Ok(ok(json!({"graphs": out})))
    }

    /// Runs a graph in the order of its references and answers in the order of the request.
    fn run_graph(&mut self, graph: &Graph) -> Vec<Json> {
        let order = dependency_order(&graph.composite_request);
        let parts: Vec<Part> = order
            .iter()
            .map(|n| graph.composite_request[*n].clone())
            .collect();
        let answers = self.atomic(&parts);
        self.commit();
        let mut entries: Vec<(usize, Json)> = order
            .into_iter()
            .zip(answers.iter().map(PartAnswer::to_json))
            .collect();
        entries.sort_by_key(|(n, _)| *n);
        entries.into_iter().map(|(_, entry)| entry).collect()
    }
}

fn halt(graph: &Graph) -> Vec<Json> {
    let error = ApiError::bad(
        "PROCESSING_HALTED",
        "Processing was halted because too many graphs failed.",
    );
    let entry = |part: &Part| {
        json!({
            "body": [error.to_json()], "httpHeaders": {}, "httpStatusCode": 400, "referenceId": part.reference(),
        })
    };
    graph.composite_request.iter().map(entry).collect()
}

fn check_graph(graph: &Graph, version: &Version, ids: &mut HashSet<String>) -> Result<(), ApiError> {
    let id = &graph.graph_id;
    let fits = id.len() <= GRAPH_ID
        && id.starts_with(|c: char| c.is_ascii_alphanumeric())
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if !fits || !ids.insert(id.clone()) {
        let message = format!(
            "graphId '{id}' must be unique, start with a letter or a number and have at most {GRAPH_ID} characters"
        );
        return Err(ApiError::bad("JSON_PARSER_ERROR", message));
    }
    let parts = &graph.composite_request;
    check_parts(parts, version)?;
    check_count(depth(parts), DEPTH, "levels of references")?;
    let kinds: HashSet<String> = parts.iter().map(kind).collect();
    check_count(kinds.len(), KINDS, "kinds of nodes")?;
    match parts.iter().find(|p| !fits_in_graph(p.url())) {
        Some(part) => {
            let message = format!("Resource {} is not supported in a composite graph", part.url());
            Err(ApiError::bad("INVALID_INPUT", message))
        }
        None => Ok(()),
    }
}

/// Nodes of the same version, method and object are of one kind.
fn kind(part: &Part) -> String {
    let segments: Vec<&str> = path_of(part.url()).collect();
    let (version, object) = (segments.get(2), segments.get(4));
    format!(
        "{} {} {}",
        part.method(),
        version.unwrap_or(&""),
        object.unwrap_or(&"")
    )
}

fn path_of(url: &str) -> impl Iterator<Item = &str> {
    let path = url.split('?').next().unwrap_or_default();
    path.split('/').filter(|s| !s.is_empty())
}

/// Only creates and rows, by id or external id; everything else that stands below an object has a name of its own.
fn fits_in_graph(url: &str) -> bool {
    let segments: Vec<&str> = path_of(url).collect();
    let named = [
        "describe",
        "listviews",
        "quickActions",
        "updated",
        "deleted",
        "defaultValues",
    ];
    matches!(
        segments.as_slice(),
        ["services", "data", _, "sobjects", _, rest @ ..]
            if rest.len() <= 2 && !rest.first().is_some_and(|first| named.contains(first))
    )
}

/// Positions of the parts so that each comes after those it refers to; a circle stays in its written order and
/// fails by its unresolved references.
fn dependency_order(parts: &[Part]) -> Vec<usize> {
    let known: HashSet<&str> = parts.iter().map(Part::reference).collect();
    let needs: Vec<Vec<String>> = parts.iter().map(Part::needs).collect();
    let mut done: HashSet<&str> = HashSet::new();
    let mut order = Vec::with_capacity(parts.len());
    let mut open: Vec<usize> = (0..parts.len()).collect();
    while !open.is_empty() {
        let ready = |n: &usize| {
            needs[*n]
                .iter()
                .all(|r| done.contains(r.as_str()) || !known.contains(r.as_str()))
        };
        let at = open.iter().position(ready).unwrap_or(0);
        let next = open.remove(at);
        done.insert(parts[next].reference());
        order.push(next);
    }
    order
}

/// Length of the longest chain of references.
fn depth(parts: &[Part]) -> usize {
    let mut levels: Vec<(&str, usize)> = Vec::with_capacity(parts.len());
    for n in dependency_order(parts) {
        let needs = parts[n].needs();
        let above = levels
            .iter()
            .filter(|(r, _)| needs.iter().any(|need| need == r))
            .map(|(_, l)| *l)
            .max();
        levels.push((parts[n].reference(), above.unwrap_or(0) + 1));
    }
    levels.iter().map(|(_, level)| *level).max().unwrap_or(0)
}
