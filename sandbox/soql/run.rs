//! Running a plan: which rows, in which order.

use super::access::{self, Access};
use super::filter::Filter;
use super::plan::Plan;
use super::sorting;
use crate::org::{ApiError, Id, Org, Row, Value};
use std::borrow::Cow;

/// Comparisons that one query may make; beyond this a real org would have given up as well, and the sandbox answers
/// nobody else while it compares.
const WORK_LIMIT: usize = 400_000_000;

impl Plan {
    /// Ids of the rows in order, OFFSET and LIMIT applied.
    ///
    /// # Errors
    /// QUERY_TOO_COMPLICATED.
    pub fn ids(&self, org: &Org) -> Result<Vec<Id>, ApiError> {
        let filter = self.resolved(org)?;
        let wanted = self.limit.map(|limit| limit.saturating_add(self.offset));
        if wanted == Some(0) {
            return Ok(Vec::new());
        }
        let access = access::choose(org, self, filter.as_deref());
        self.check_work(org, &access, filter.as_deref())?;
        let rows = self.rows(org, access.walk(org, self.object), filter.as_deref());
        if access.in_order() {
            let limit = self.limit.unwrap_or(usize::MAX);
            return Ok(rows.skip(self.offset).take(limit).map(|(id, _)| id).collect());
        }
        Ok(self.page(org, rows.collect()))
    }

    /// Ids of the children of one parent in order.
    pub fn child_ids(&self, org: &Org, reference: usize, parent: Id) -> Vec<Id> {
        // A sub-query has no semi-joins, so its filter is resolved as it is.
        let table = org.table(self.object);
        let of_parent = table.find(reference, &Value::Id(parent));
        let rows: Box<dyn Iterator<Item = (Id, &Row)>> = match of_parent {
            Some(ids) => Box::new(
                ids.into_iter()
                    .filter_map(|id| table.row(id).map(|row| (id, row))),
            ),
            None => Box::new(
                table
                    .rows()
                    .filter(|(_, row)| row.values[reference] == Value::Id(parent)),
            ),
        };
        self.page(org, self.rows(org, rows, self.filter.as_ref()).collect())
    }

    /// Those of these rows that pass, in order, OFFSET and LIMIT applied; for searches.
    ///
    /// # Errors
    /// QUERY_TOO_COMPLICATED.
    pub fn narrowed(&self, org: &Org, ids: Vec<Id>) -> Result<Vec<Id>, ApiError> {
        let filter = self.resolved(org)?;
        let table = org.table(self.object);
        let rows = ids
            .into_iter()
            .filter_map(|id| table.row(id).map(|row| (id, row)));
        let passing = self.rows(org, rows, filter.as_deref());
        if self.order.is_empty() {
            // A search has an order of its own.
            let limit = self.limit.unwrap_or(usize::MAX);
            return Ok(passing.skip(self.offset).take(limit).map(|(id, _)| id).collect());
        }
        Ok(self.page(org, passing.collect()))
    }

    /// Number of rows, OFFSET and LIMIT applied.
    ///
    /// # Errors
    /// QUERY_TOO_COMPLICATED.
    pub fn count(&self, org: &Org) -> Result<usize, ApiError> {
        let all = match self.filter {
            None if !self.all => org.table(self.object).count(),
            _ => {
                let mut n = 0;
                self.each(org, |_| n += 1)?;
                n
            }
        };
        Ok(all
            .saturating_sub(self.offset)
            .min(self.limit.unwrap_or(usize::MAX)))
    }

    /// Values of one field of all rows; for semi-joins.
    ///
    /// # Errors
    /// QUERY_TOO_COMPLICATED.
    pub fn column(&self, org: &Org, field: usize) -> Result<Vec<Value>, ApiError> {
        let mut values = Vec::new();
        self.each(org, |row| values.push(row.values[field].clone()))?;
        values.retain(|v| !v.is_null());
        Ok(values)
    }

    /// Shows every row that passes, in no particular order.
    ///
    /// # Errors
    /// QUERY_TOO_COMPLICATED.
    pub fn each<'o>(&self, org: &'o Org, mut see: impl FnMut(&'o Row)) -> Result<(), ApiError> {
        let filter = self.resolved(org)?;
        let access = access::choose_any(org, self, filter.as_deref());
        self.check_work(org, &access, filter.as_deref())?;
        for (_, row) in self.rows(org, access.walk(org, self.object), filter.as_deref()) {
            see(row);
        }
        Ok(())
    }

    /// The filter with the results of its inner queries.
    ///
    /// # Errors
    /// QUERY_TOO_COMPLICATED.
    pub fn resolved(&self, org: &Org) -> Result<Option<Cow<'_, Filter>>, ApiError> {
        match &self.filter {
            Some(filter) if filter.has_semi_join() => filter.resolved(org).map(Cow::Owned).map(Some),
            other => Ok(other.as_ref().map(Cow::Borrowed)),
        }
    }

    fn check_work(&self, org: &Org, access: &Access, filter: Option<&Filter>) -> Result<(), ApiError> {
        let rows = access.most_rows(org.table(self.object));
        let work = filter.map_or(1, Filter::weight).saturating_mul(rows);
        if work > WORK_LIMIT {
            let message =
                "Query is either selecting too many fields or the filter conditions are too complicated.";
            return Err(ApiError::bad("QUERY_TOO_COMPLICATED", message));
        }
        Ok(())
    }

    fn rows<'o, 'f>(
        &self,
        org: &'o Org,
        rows: impl Iterator<Item = (Id, &'o Row)> + 'f,
        filter: Option<&'f Filter>,
    ) -> impl Iterator<Item = (Id, &'o Row)> + 'f
    where
        'o: 'f,
    {
        let deleted = self.all && Org::leaves_trace(org.schema().at(self.object));
        rows.filter(move |(_, row)| (!row.deleted || deleted) && filter.is_none_or(|f| f.passes(org, row)))
    }

    fn page(&self, org: &Org, rows: Vec<(Id, &Row)>) -> Vec<Id> {
        let limit = self.limit.unwrap_or(usize::MAX);
        if self.order.is_empty() {
            return rows
                .into_iter()
                .skip(self.offset)
                .take(limit)
                .map(|(id, _)| id)
                .collect();
        }
        sorting::sorted(org, &self.order, rows, self.offset, limit)
    }
}
