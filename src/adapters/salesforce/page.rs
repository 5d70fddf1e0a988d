//! Whole opportunities page by page, and many at once by id; what is not there is looked for in the bin.
//!
//! Source: SOQL and SOSL Reference, "ORDER BY" and "LIMIT"; REST API Developer Guide, "QueryAll". Ids are compared only
//! by Salesforce, in its own order: we hand back the last id of a page and never sort.

use cpq_domain::Result;
use cpq_domain::adapter::Call;
use cpq_domain::id::RecordId;
use cpq_domain::paging::{FoundSnapshots, PagedSnapshot, SNAPSHOT_ROWS, SnapshotPage, Unreadable};
use cpq_domain::{Code, Error};
use jiff::Timestamp;

use super::layout::Layout;
use super::snapshot::{self, Row};
use super::soql::{Order, Path, Select};
use super::{Org, query, record_id, values};
use crate::json::Node;

/// The field that windows go by: Salesforce moves it with every touch, those of its own machinery too.
const STAMP: &str = "SystemModstamp";

pub(super) async fn page(
    org: &Org,
    call: &Call,
    since: Option<Timestamp>,
    after: Option<&RecordId>,
    limit: u32,
) -> Result<SnapshotPage> {
    let layout = org.layout(call).await?;
    let (limit, stamp) = (limit.clamp(1, SNAPSHOT_ROWS), Path::new(STAMP)?);
    let select = Select {
        order: vec![Order::Up(Path::new("Id")?)],
        limit: Some(limit),
        ..stamped(&layout, &stamp)
    };
    let soql = select.page(&stamp, since, after.map(RecordId::as_str));
    let read = read(org, call, &layout, &soql).await?;
    let full = read.last.filter(|_| read.rows == limit as usize);
    Ok(SnapshotPage {
        snapshots: read.snapshots,
        unreadable: read.unreadable,
        next: full,
        calls: read.calls,
    })
}

pub(super) async fn find_many(org: &Org, call: &Call, ids: &[RecordId]) -> Result<FoundSnapshots> {
    // What is no id of an opportunity cannot be one that is there; asked for, it would spoil the whole query.
    let wanted: Vec<(&RecordId, String)> = ids
        .iter()
        .take(SNAPSHOT_ROWS as usize)
        .filter_map(|id| Some((id, record_id::opportunity(id.as_str())?)))
        .collect();
    if wanted.is_empty() {
        return Ok(FoundSnapshots::default());
    }
    let layout = org.layout(call).await?;
    let (id, stamp) = (Path::new("Id")?, Path::new(STAMP)?);
    let long = |wanted: &[(&RecordId, String)]| -> Vec<String> {
        wanted.iter().map(|(_, long)| long.clone()).collect()
    };
    let named = long(&wanted);
    let named: Vec<&str> = named.iter().map(String::as_str).collect();
    let soql = stamped(&layout, &stamp).matching(&[(&id, named)]);
    let read = read(org, call, &layout, &soql).await?;
    let there = |long: &str| {
        let snapshots = read.snapshots.iter().map(|paged| &paged.snapshot.opportunity.id);
        let unreadable = read.unreadable.iter().map(|unreadable| &unreadable.id);
        snapshots.chain(unreadable).any(|id| id.as_str() == long)
    };
    let missing: Vec<(&RecordId, String)> = wanted.into_iter().filter(|(_, long)| !there(long)).collect();
    let (deleted, more) = deleted(org, call, &id, &long(&missing)).await?;
    let deleted = missing.into_iter().filter(|(_, long)| deleted.contains(long));
    Ok(FoundSnapshots {
        deleted: deleted.map(|(id, _)| id.clone()).collect(),
        snapshots: read.snapshots,
        unreadable: read.unreadable,
        calls: read.calls + more,
    })
}

/// Which of these are in the bin, and how many calls the question took.
async fn deleted(org: &Org, call: &Call, id: &Path, missing: &[String]) -> Result<(Vec<String>, u32)> {
    if missing.is_empty() {
        return Ok((Vec::new(), 0));
    }
    let select = Select {
        fields: vec![id.clone(), Path::new("IsDeleted")?],
        children: vec![],
        from: Path::new("Opportunity")?,
        filter: None,
        order: vec![],
        limit: None,
    };
    let soql = select.matching(&[(id, missing.iter().map(String::as_str).collect())]);
    let encoded: String = url::form_urlencoded::byte_serialize(soql.as_bytes()).collect();
    let path = org.rest.data(&format!("queryAll?q={encoded}"));
    let (rows, calls) = query::counted(&org.rest, &[call], path, "").await?;
    let gone = rows
        .iter()
        .filter(|row| row.get("IsDeleted").and_then(Node::flag) == Some(true));
    let ids = gone.filter_map(|row| row.get("Id").and_then(Node::text));
    Ok((ids.map(str::to_owned).collect(), calls))
}

/// The usual query, with the stamp.
fn stamped(layout: &Layout, stamp: &Path) -> Select {
    let mut select = layout.select.clone();
    let asked = |path: &Path| path.as_str().eq_ignore_ascii_case(stamp.as_str());
    if !select.fields.iter().any(asked) {
        select.fields.push(stamp.clone());
    }
    select
}

/// What a query gave.
struct Read {
    snapshots: Vec<PagedSnapshot>,
    unreadable: Vec<Unreadable>,
    last: Option<RecordId>,
    rows: usize,
    calls: u32,
}

async fn read(org: &Org, call: &Call, layout: &Layout, soql: &str) -> Result<Read> {
    let (rest, calls) = (&org.rest, [call]);
    let (mut rows, mut took) = query::counted(rest, &calls, query::path(rest, soql), "").await?;
    for row in &mut rows {
        took += query::complete(rest, &calls, row).await?;
    }
    let mut read = Read {
        snapshots: Vec::with_capacity(rows.len()),
        unreadable: Vec::new(),
        last: None,
        rows: rows.len(),
        calls: took,
    };
    for row in &rows {
        let id = Row {
            connection: rest.connection(),
            layout,
            row,
        }
        .id()?;
        match paged(rest.connection(), layout, row) {
            Ok(paged) => read.snapshots.push(paged),
            // One record that our mapping does not fit must not stand in the way of all others.
            Err(error) if error.code == Code::SchemaDrift => read.unreadable.push(Unreadable {
                id: id.clone(),
                why: error.message,
            }),
            Err(error) => return Err(error),
        }
        read.last = Some(id);
    }
    Ok(read)
}

fn paged(connection: &str, layout: &Layout, row: &Node) -> Result<PagedSnapshot> {
    let snapshot = snapshot::of(connection, layout, row)?;
    let stamp = row.get(STAMP).and_then(Node::text).and_then(values::instant);
    let stamp = stamp.ok_or_else(|| {
        let id = snapshot.opportunity.id.as_str();
        let message = format!("{STAMP} of opportunity {id} is not a moment");
        Error::new(Code::SchemaDrift, message)
            .connection(connection)
            .object("Opportunity")
            .record(id)
            .field(STAMP)
    })?;
    Ok(PagedSnapshot { snapshot, stamp })
}
