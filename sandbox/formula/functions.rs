//! The functions that a formula may call.

/// A function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Function {
    /// `IF(test, then, else)`.
    If,
    /// `CASE(value, match, result, …, else)`.
    Case,
    /// `AND(…)`.
    And,
    /// `OR(…)`.
    Or,
    /// `NOT(test)`.
    Not,
    /// `ISBLANK(value)`.
    IsBlank,
    /// `BLANKVALUE(value, instead)`.
    BlankValue,
    /// `ISPICKVAL(picklist, text)`.
    IsPickVal,
    /// `INCLUDES(multi-select picklist, text)`.
    Includes,
    /// `ISNEW()`.
    IsNew,
    /// `ISCHANGED(field)`.
    IsChanged,
    /// `PRIORVALUE(field)`.
    PriorValue,
    /// `TEXT(value)`.
    Text,
    /// `VALUE(text)`.
    Value,
    /// `LEN(text)`.
    Len,
    /// `LEFT(text, count)`.
    Left,
    /// `RIGHT(text, count)`.
    Right,
    /// `MID(text, start, count)`.
    Mid,
    /// `UPPER(text)`.
    Upper,
    /// `LOWER(text)`.
    Lower,
    /// `TRIM(text)`.
    Trim,
    /// `CONTAINS(text, part)`.
    Contains,
    /// `BEGINS(text, part)`.
    Begins,
    /// `SUBSTITUTE(text, old, new)`.
    Substitute,
    /// `ROUND(number, digits)`.
    Round,
    /// `ABS(number)`.
    Abs,
    /// `FLOOR(number)`.
    Floor,
    /// `CEILING(number)`.
    Ceiling,
    /// `MOD(number, divisor)`.
    Mod,
    /// `MIN(number, …)`.
    Min,
    /// `MAX(number, …)`.
    Max,
    /// `TODAY()`.
    Today,
    /// `NOW()`.
    Now,
    /// `DATE(year, month, day)`.
    Date,
    /// `YEAR(date)`.
    Year,
    /// `MONTH(date)`.
    Month,
    /// `DAY(date)`.
    Day,
}

/// Most arguments of a function with any number of them.
const MANY: usize = 100;

/// Name, function, fewest and most arguments. `ISNULL` and `NULLVALUE` are older names.
const TABLE: [(&str, Function, usize, usize); 39] = [
    ("IF", Function::If, 3, 3),
    ("CASE", Function::Case, 4, MANY),
    ("AND", Function::And, 1, MANY),
    ("OR", Function::Or, 1, MANY),
    ("NOT", Function::Not, 1, 1),
    ("ISBLANK", Function::IsBlank, 1, 1),
    ("ISNULL", Function::IsBlank, 1, 1),
    ("BLANKVALUE", Function::BlankValue, 2, 2),
    ("NULLVALUE", Function::BlankValue, 2, 2),
    ("ISPICKVAL", Function::IsPickVal, 2, 2),
    ("INCLUDES", Function::Includes, 2, 2),
    ("ISNEW", Function::IsNew, 0, 0),
    ("ISCHANGED", Function::IsChanged, 1, 1),
    ("PRIORVALUE", Function::PriorValue, 1, 1),
    ("TEXT", Function::Text, 1, 1),
    ("VALUE", Function::Value, 1, 1),
    ("LEN", Function::Len, 1, 1),
    ("LEFT", Function::Left, 2, 2),
    ("RIGHT", Function::Right, 2, 2),
    ("MID", Function::Mid, 3, 3),
    ("UPPER", Function::Upper, 1, 1),
    ("LOWER", Function::Lower, 1, 1),
    ("TRIM", Function::Trim, 1, 1),
    ("CONTAINS", Function::Contains, 2, 2),
    ("BEGINS", Function::Begins, 2, 2),
    ("SUBSTITUTE", Function::Substitute, 3, 3),
    ("ROUND", Function::Round, 2, 2),
    ("ABS", Function::Abs, 1, 1),
    ("FLOOR", Function::Floor, 1, 1),
    ("CEILING", Function::Ceiling, 1, 1),
    ("MOD", Function::Mod, 2, 2),
    ("MIN", Function::Min, 1, MANY),
    ("MAX", Function::Max, 1, MANY),
    ("TODAY", Function::Today, 0, 0),
    ("NOW", Function::Now, 0, 0),
    ("DATE", Function::Date, 3, 3),
    ("YEAR", Function::Year, 1, 1),
    ("MONTH", Function::Month, 1, 1),
    ("DAY", Function::Day, 1, 1),
];

impl Function {
    /// The function with this name, in any case.
    pub fn parse(name: &str) -> Option<Function> {
        let row = TABLE.iter().find(|row| row.0.eq_ignore_ascii_case(name));
        row.map(|row| row.1)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        TABLE.iter().find(|row| row.1 == self).map_or("", |row| row.0)
    }

    /// Whether it takes so many arguments; those of `CASE` are a value, pairs and a last one.
    pub fn takes(self, count: usize) -> bool {
        let row = TABLE.iter().find(|row| row.1 == self);
        let fits = row.is_some_and(|row| (row.2..=row.3).contains(&count));
        fits && (self != Function::Case || count.is_multiple_of(2))
    }

    /// Whether a picklist may be an argument.
    pub fn takes_picklists(self) -> bool {
        matches!(
            self,
            Function::IsPickVal
                | Function::Includes
                | Function::Case
                | Function::Text
                | Function::IsBlank
                | Function::IsChanged
                | Function::PriorValue
        )
    }

    /// Whether the first argument has to be a field.
    pub fn wants_field(self) -> bool {
        matches!(
            self,
            Function::IsPickVal | Function::Includes | Function::IsChanged | Function::PriorValue
        )
    }

    /// Whether its value depends on the time or on the write, not on the record alone.
    pub fn changes_by_itself(self) -> bool {
        matches!(
            self,
            Function::Today | Function::Now | Function::IsNew | Function::IsChanged | Function::PriorValue
        )
    }
}
