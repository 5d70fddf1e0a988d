//! Rows of many keys, and many rows, with one statement.
//!
//! Statements are constants here, so a list of keys has a fixed length; one that is shorter is filled up with its last
//! key. A hundred keys are two statements, not a hundred.

use cpq_domain::Result;

use crate::row::Row;
use crate::tx::{Param, Tx};

/// Keys of one statement.
const KEYS: usize = 50;

/// The parameters of the keys; `$1` is left to what they have in common.
macro_rules! keys {
    () => {
        "$2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, \
         $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37, $38, $39, $40, $41, $42, \
         $43, $44, $45, $46, $47, $48, $49, $50, $51"
    };
}
pub(crate) use keys;

/// The rows of all these keys under `scope`, a few keys at a time.
pub(crate) async fn rows(
    tx: &mut dyn Tx,
    sql: &'static str,
    scope: &str,
    keys: &[&str],
    more: &[Param<'_>],
) -> Result<Vec<Row>> {
    let mut found = Vec::new();
    for some in keys.chunks(KEYS) {
        let filler = some[some.len() - 1];
        let padded = some.iter().copied().chain(std::iter::repeat(filler)).take(KEYS);
        let mut values = vec![Param::from(scope)];
        values.extend(padded.map(Param::from));
        values.extend(more.iter().cloned());
        found.extend(tx.query(sql, &values).await?);
    }
    Ok(found)
}

/// `rows` rows of a statement that stores several: the place of each, and a parameter for each column of these types, behind
/// the parameters that all rows have in common. Unused rows are NULL.
pub(crate) fn values(shared: usize, rows: usize, types: &[&str]) -> String {
    let row = |row: usize| {
        let first = shared + row * types.len() + 1;
        let columns = (first..)
            .zip(types)
            .map(|(at, of)| format!("CAST(${at} AS {of})"));
        format!("({row}, {})", columns.collect::<Vec<_>>().join(", "))
    };
    (0..rows).map(row).collect::<Vec<_>>().join(", ")
}
