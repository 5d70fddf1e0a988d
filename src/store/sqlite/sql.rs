//! One SQL text for every engine: SQLite takes `$1` for a name, numbered by first appearance, and `?1` for a number.

use std::collections::HashMap;

/// Statements as SQLite wants them, by their text as the operations have it. Bounded by the number of statements in
/// the program, because only `'static` text gets here.
#[derive(Default)]
pub(super) struct Texts(HashMap<&'static str, &'static str>);

impl Texts {
    /// The statement with `?n` for `$n`, and without locks.
    pub(super) fn of(&mut self, sql: &'static str) -> &'static str {
        self.0.entry(sql).or_insert_with(|| {
            if sql.contains('$') {
                rewrite(sql).leak()
            } else {
                sql
            }
        })
    }
}

/// Our statements hold no `$` but that of a parameter; the registry's test prepares each of them. Locks on rows are for engines
/// with several writers.
pub(crate) fn rewrite(sql: &str) -> String {
    let sql = sql.strip_suffix(" FOR UPDATE").unwrap_or(sql);
    sql.replace('$', "?")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_keep_their_numbers_out_of_order() {
        assert_eq!(rewrite("SELECT $2, $1, $12"), "SELECT ?2, ?1, ?12");
        assert_eq!(
            rewrite("SELECT a FROM b LIMIT $1 FOR UPDATE"),
            "SELECT a FROM b LIMIT ?1"
        );
        let connection = rusqlite::Connection::open_in_memory().expect("memory opens");
        let read = |row: &rusqlite::Row| Ok((row.get(0)?, row.get(1)?));
        let answer: (i64, i64) = connection
            .query_row(&rewrite("SELECT $2, $1"), [1, 2], read)
            .expect("it runs");
        assert_eq!(answer, (2, 1));
    }
}
