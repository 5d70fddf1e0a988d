//! Parser of the clauses of a query, in their order.

use super::ast::{Expr, Grouping, Name, Order, Query};
use super::lexer::TokenKind;
use super::parser::Parser;
use crate::org::ApiError;

/// Most fields in ROLLUP and CUBE (SOQL and SOSL Reference, GROUP BY ROLLUP).
const SUBTOTALED: usize = 3;

impl Parser<'_> {
    pub(super) fn query(&mut self) -> Result<Query, ApiError> {
        let at = self.at();
        self.expect_word("SELECT")?;
        let select = self.items()?;
        self.expect_word("FROM")?;
        let (from, alias, relations) = self.from()?;
        let scope = self.scope()?;
        let filter = if self.eat_word("WHERE") {
            Some(self.conditions()?)
        } else {
            None
        };
        self.security_clause()?;
        let (group, grouping) = self.group()?;
        let having = if !group.is_empty() && self.eat_word("HAVING") {
            Some(self.conditions()?)
        } else {
            None
        };
        let order = self.order()?;
        let limit = if self.eat_word("LIMIT") {
            Some(self.count()?)
        } else {
            None
        };
        let offset = if self.eat_word("OFFSET") {
            Some(self.count()?)
        } else {
            None
        };
        let (for_view, for_reference) = self.purpose()?;
        Ok(Query {
            at,
            select,
            from,
            alias,
            relations,
            scope,
            filter,
            group,
            grouping,
            having,
            order,
            limit,
            offset,
            for_view,
            for_reference,
        })
    }

    /// The object and what FROM says beside it. Objects may be named like keywords: Group, Order.
    #[expect(
        clippy::type_complexity,
        reason = "the three parts of one clause, taken apart at once"
    )]
    fn from(&mut self) -> Result<(Name, Option<Name>, Vec<(Name, Option<Name>)>), ApiError> {
        if ["WHERE", "LIMIT", "WITH", "HAVING", "USING", "SELECT"]
            .iter()
            .any(|w| self.at_word(w))
        {
            return Err(self.unexpected());
        }
        let from = self.any_name()?;
        let alias = self.alias_of_source();
        let mut relations = Vec::new();
        while self.eat_sign(",") {
            let path = self.any_name()?;
            relations.push((path, self.alias_of_source()));
        }
        Ok((from, alias, relations))
    }

    fn alias_of_source(&mut self) -> Option<Name> {
        self.eat_word("AS");
        self.optional_alias()
    }

    fn scope(&mut self) -> Result<Option<Name>, ApiError> {
        if !self.eat_word("USING") {
            return Ok(None);
        }
        self.expect_word("SCOPE")?;
        self.name().map(Some)
    }

    /// `WITH SECURITY_ENFORCED` and the access modes change nothing here: there are no permissions to enforce.
    fn security_clause(&mut self) -> Result<(), ApiError> {
        if !self.eat_word("WITH") {
            return Ok(());
        }
        let known = ["SECURITY_ENFORCED", "USER_MODE", "SYSTEM_MODE"];
        if known.iter().any(|mode| self.eat_word(mode)) {
            Ok(())
        } else {
            Err(self.unexpected())
        }
    }

    fn group(&mut self) -> Result<(Vec<Expr>, Grouping), ApiError> {
        if !self.eat_word("GROUP") {
            return Ok((Vec::new(), Grouping::Plain));
        }
        self.expect_word("BY")?;
        let (word, grouping) = match () {
            () if self.at_word("ROLLUP") => ("ROLLUP", Grouping::Rollup),
            () if self.at_word("CUBE") => ("CUBE", Grouping::Cube),
            () => return Ok((self.exprs()?, Grouping::Plain)),
        };
        self.take();
        self.expect_sign("(")?;
        let group = self.exprs()?;
        if group.len() > SUBTOTALED {
            return Err(self.refused(&format!(
                "GROUP BY {word} must contain {SUBTOTALED} fields or less"
            )));
        }
        self.expect_sign(")")?;
        Ok((group, grouping))
    }

    fn exprs(&mut self) -> Result<Vec<Expr>, ApiError> {
        let mut exprs = vec![self.expr()?];
        while self.eat_sign(",") {
            exprs.push(self.expr()?);
        }
        Ok(exprs)
    }

    /// ORDER BY, possibly absent.
    pub(super) fn order(&mut self) -> Result<Vec<Order>, ApiError> {
        if !self.eat_word("ORDER") {
            return Ok(Vec::new());
        }
        self.expect_word("BY")?;
        let mut order = vec![self.sort_key()?];
        while self.eat_sign(",") {
            order.push(self.sort_key()?);
        }
        Ok(order)
    }

    fn sort_key(&mut self) -> Result<Order, ApiError> {
        let by = self.expr()?;
        let descending = self.eat_word("DESC");
        if !descending {
            self.eat_word("ASC");
        }
        let mut nulls_last = false;
        if self.eat_word("NULLS") {
            nulls_last = self.eat_word("LAST");
            if !nulls_last {
                self.expect_word("FIRST")?;
            }
        }
        Ok(Order {
            by,
            descending,
            nulls_last,
        })
    }

    /// What stands after the rows are chosen. UPDATE TRACKING and VIEWSTAT count hits of articles; there are none.
    fn purpose(&mut self) -> Result<(bool, bool), ApiError> {
        let (mut view, mut reference) = (false, false);
        while self.eat_word("FOR") {
            match () {
                () if self.eat_word("VIEW") => view = true,
                () if self.eat_word("REFERENCE") => reference = true,
                () => return Err(self.unexpected()),
            }
        }
        if self.eat_word("UPDATE") {
            self.statistic()?;
            while self.eat_sign(",") {
                self.statistic()?;
            }
        }
        if self.at_words("ALL", "ROWS") {
            return Err(self.refused("ALL ROWS not allowed in this context"));
        }
        Ok((view, reference))
    }

    fn statistic(&mut self) -> Result<(), ApiError> {
        if self.eat_word("TRACKING") || self.eat_word("VIEWSTAT") {
            Ok(())
        } else {
            Err(self.unexpected())
        }
    }

    /// `SET OPTIONS (honorEmptyStrings = true)` at the very end (SOQL and SOSL Reference, SET OPTIONS): the options
    /// are for objects outside the org's own tables, so they are read and have no effect.
    pub(super) fn options(&mut self) -> Result<(), ApiError> {
        if !self.at_words("SET", "OPTIONS") {
            return Ok(());
        }
        self.take();
        self.take();
        self.expect_sign("(")?;
        self.option()?;
        while self.eat_sign(",") {
            self.option()?;
        }
        self.expect_sign(")")
    }

    fn option(&mut self) -> Result<(), ApiError> {
        const KNOWN: [&str; 3] = ["dataspace", "honorEmptyStrings", "explicitNamespace"];
        if !KNOWN.iter().any(|known| self.at_word(known)) {
            return Err(self.unexpected());
        }
        self.take();
        self.expect_sign("=")?;
        let value =
            matches!(self.peek(), TokenKind::Text(_)) || self.at_word("true") || self.at_word("false");
        if !value {
            return Err(self.unexpected());
        }
        self.take();
        Ok(())
    }
}
