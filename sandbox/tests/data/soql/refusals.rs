use super::workshop;
use crate::site::code;
use serde_json::json;

/// Refusals with their code and the end of their text.
const REFUSALS: [(&str, &str, &str); 61] = [
    (
        "SELEKT Id FROM Part__c",
        "MALFORMED_QUERY",
        "unexpected token: SELEKT",
    ),
    (
        "SELECT Id, FROM Part__c",
        "MALFORMED_QUERY",
        "\n          ^\nERROR at Row:1:Column:11\nunexpected token: 'FROM'",
    ),
    (
        "SELECT Id FROM Part__c WHERE",
        "MALFORMED_QUERY",
        "unexpected token: '<EOF>'",
    ),
    (
        "SELECT Id FROM Part__c WHERE Name IS NULL",
        "MALFORMED_QUERY",
        "unexpected token: 'IS'",
    ),
    (
        "SELECT Id FROM Part__c WHERE Name = x",
        "MALFORMED_QUERY",
        "expecting a colon, found 'x'",
    ),
    (
        "SELECT Id FROM Part__c WHERE Name = :x",
        "MALFORMED_QUERY",
        "Bind variables only allowed in Apex code",
    ),
    (
        "SELECT Id FROM Part__c WHERE (Name = 'x' LIMIT 1",
        "MALFORMED_QUERY",
        "expecting a right parentheses, found 'LIMIT'",
    ),
    (
        "SELECT Id FROM Part__c WHERE Name = 'x' AND Id = '' OR Id = ''",
        "MALFORMED_QUERY",
        "unexpected token: 'OR'",
    ),
    (
        "SELECT Id FROM Part__c WHERE NOT Name = 'x' OR Id = '' AND Id = ''",
        "MALFORMED_QUERY",
        "unexpected token: 'AND'",
    ),
    (
        "SELECT Id FROM Part__c WHERE Name = 'x",
        "MALFORMED_QUERY",
        "mismatched character '<EOF>' expecting '''",
    ),
    (
        "SELECT Id FROM Part__c WHERE Name = 'C:\\new\\users'",
        "MALFORMED_QUERY",
        "Invalid string literal 'C:\\new\\users'. Illegal unicode sequence. '\\users' in string literal.",
    ),
    (
        "SELECT Id FROM Part__c WHERE Name = '\\d'",
        "MALFORMED_QUERY",
        "Illegal character sequence '\\d' in string literal.",
    ),
    (
        "SELECT Id FROM Part__c WHERE Name = \"x\"",
        "MALFORMED_QUERY",
        "unexpected token: '\"'",
    ),
    (
        "SELECT Id FROM Part__c LIMIT x",
        "MALFORMED_QUERY",
        "expecting a positive integer, found 'x'",
    ),
    (
        "SELECT Id FROM Part__c LIMIT -1",
        "MALFORMED_QUERY",
        "expecting a positive integer, found '-1'",
    ),
    (
        "SELECT Id FROM Part__c ALL ROWS",
        "MALFORMED_QUERY",
        "ALL ROWS not allowed in this context",
    ),
    (
        "SELECT Id FROM Part__c FOR UPDATE",
        "MALFORMED_QUERY",
        "unexpected token: 'UPDATE'",
    ),
    (
        "SELECT Id FROM Part__c LIMIT 1 SET OPTIONS (honor = true)",
        "MALFORMED_QUERY",
        "unexpected token: 'honor'",
    ),
    (
        "SELECT Id FROM Part__c -- all",
        "MALFORMED_QUERY",
        "unexpected token: '--'",
    ),
    (
        "SELECT Id FROM Part__c /* all */",
        "MALFORMED_QUERY",
        "unexpected token: '/'",
    ),
    (
        "SELECT Id FROM Part__c WITH NONSENSE",
        "MALFORMED_QUERY",
        "unexpected token: 'NONSENSE'",
    ),
    (
        "SELECT Id i FROM Part__c",
        "MALFORMED_QUERY",
        "only aggregate expressions use field aliasing",
    ),
    (
        "SELECT Id FROM Part__c HAVING COUNT(Id) > 1",
        "MALFORMED_QUERY",
        "unexpected token: 'HAVING'",
    ),
    (
        "SELECT Id, Id FROM Part__c",
        "INVALID_FIELD",
        "duplicate field selected: Id",
    ),
    (
        "SELECT Id, FIELDS(ALL) FROM Part__c LIMIT 1",
        "INVALID_FIELD",
        "duplicate field selected: Id",
    ),
    (
        "SELECT FIELDS(ALL) FROM Part__c",
        "MALFORMED_QUERY",
        "The SOQL FIELDS function must have a LIMIT of at most 200",
    ),
    (
        "SELECT FIELDS(CUSTOM) FROM Account LIMIT 9",
        "MALFORMED_QUERY",
        "'FIELDS(...)' expansion function must result in at least one field being selected.",
    ),
    (
        "SELECT FIELDS(NONE) FROM Account LIMIT 9",
        "MALFORMED_QUERY",
        "unexpected token: 'NONE'",
    ),
    (
        "SELECT Nix FROM Part__c",
        "INVALID_FIELD",
        "Please reference your WSDL or the describe call for the appropriate names.",
    ),
    (
        "SELECT Nix__r.Name FROM Part__c",
        "INVALID_FIELD",
        "Please reference your WSDL or the describe call for the appropriate names.",
    ),
    (
        "SELECT Id, (SELECT Id FROM Nixes__r) FROM Account",
        "INVALID_TYPE",
        "Please reference your WSDL or the describe call for the appropriate names.",
    ),
    (
        "SELECT Id FROM Part__c WHERE Notes__c = 'x'",
        "INVALID_FIELD",
        "field 'Notes__c' can not be filtered in a query call",
    ),
    (
        "SELECT Id FROM Part__c ORDER BY Notes__c",
        "MALFORMED_QUERY",
        "field 'Notes__c' can not be sorted in a query call",
    ),
    (
        "SELECT Id FROM Part__c ORDER BY Colors__c",
        "MALFORMED_QUERY",
        "field 'Colors__c' can not be sorted in a query call",
    ),
    (
        "SELECT Weight__c FROM Part__c GROUP BY Weight__c",
        "MALFORMED_QUERY",
        "field 'Weight__c' can not be grouped in a query call",
    ),
    (
        "SELECT Id FROM Account WHERE BillingAddress = 'x'",
        "INVALID_FIELD",
        "Address fields can only be filtered using Distance expressions",
    ),
    (
        "SELECT Id FROM Part__c WHERE Colors__c LIKE 'R%'",
        "INVALID_QUERY_FILTER_OPERATOR",
        "invalid operator on multipicklist field",
    ),
    (
        "SELECT Id FROM Part__c WHERE Id LIKE 'a%'",
        "INVALID_QUERY_FILTER_OPERATOR",
        "invalid operator on id field",
    ),
    (
        "SELECT Id FROM Part__c WHERE Tested__c > false",
        "INVALID_QUERY_FILTER_OPERATOR",
        "invalid operator on boolean field",
    ),
    (
        "SELECT Id FROM Part__c WHERE Name INCLUDES ('x')",
        "INVALID_QUERY_FILTER_OPERATOR",
        "invalid operator on string field",
    ),
    (
        "SELECT Id FROM Part__c WHERE Account__c = '000003VbP1AAK'",
        "INVALID_QUERY_FILTER_OPERATOR",
        "invalid ID field: 000003VbP1AAK",
    ),
    (
        "SELECT Id FROM Part__c WHERE Made__c = '2026-01-01'",
        "INVALID_FIELD",
        "value of filter criterion for field 'Made__c' must be of type date and should not be enclosed in quotes",
    ),
    (
        "SELECT Id FROM Part__c WHERE Seen__c > 2026-01-01",
        "INVALID_FIELD",
        "value of filter criterion for field 'Seen__c' must be of type dateTime and should not be enclosed in quotes",
    ),
    (
        "SELECT Id FROM Part__c WHERE Name = 5",
        "INVALID_FIELD",
        "value of filter criterion for field 'Name' must be of type string and should be enclosed in quotes",
    ),
    (
        "SELECT Id FROM Part__c WHERE Weight__c = TODAY",
        "INVALID_FIELD",
        "value of filter criterion for field 'Weight__c' must be of type double and should not be enclosed in quotes",
    ),
    (
        "SELECT Id FROM Part__c WHERE CALENDAR_YEAR(Made__c) = THIS_YEAR",
        "INVALID_FIELD",
        "value of filter criterion for field 'Made__c' must be of type int and should not be enclosed in quotes",
    ),
    (
        "SELECT Name, COUNT(Id) FROM Part__c",
        "MALFORMED_QUERY",
        "Field must be grouped or aggregated: Name",
    ),
    (
        "SELECT CALENDAR_YEAR(Seen__c) FROM Part__c",
        "MALFORMED_QUERY",
        "Field must be grouped or aggregated: calendar_year(Seen__c)",
    ),
    (
        "SELECT MAX(CreatedDate) FROM Part__c LIMIT 1",
        "MALFORMED_QUERY",
        "Non-grouped query that uses overall aggregate functions cannot also use LIMIT",
    ),
    (
        "SELECT SUM(Name) FROM Part__c",
        "MALFORMED_QUERY",
        "field Name does not support aggregate operator SUM",
    ),
    (
        "SELECT COUNT(Tested__c) FROM Part__c",
        "MALFORMED_QUERY",
        "field Tested__c does not support aggregate operator COUNT",
    ),
    (
        "SELECT COUNT() FROM Part__c GROUP BY Name",
        "MALFORMED_QUERY",
        "Grouped queries cannot use COUNT(), use COUNT(Id)",
    ),
    (
        "SELECT COUNT(), Name FROM Part__c",
        "MALFORMED_QUERY",
        "COUNT() must be the only element in the select list",
    ),
    (
        "SELECT COUNT() FROM Part__c ORDER BY Name",
        "MALFORMED_QUERY",
        "COUNT() cannot be used with ORDER BY",
    ),
    (
        "SELECT COUNT(Id) n, MAX(Name) n FROM Part__c",
        "MALFORMED_QUERY",
        "duplicate alias: n",
    ),
    (
        "SELECT Account__r.Name, Whole__r.Name FROM Part__c GROUP BY Account__r.Name, Whole__r.Name",
        "MALFORMED_QUERY",
        "duplicate alias: Name",
    ),
    (
        "SELECT Name, (SELECT Id FROM Parts__r) FROM Account GROUP BY Name",
        "MALFORMED_QUERY",
        "Grouped query cannot use child relationships in the SELECT list",
    ),
    (
        "SELECT Id FROM Part__c USING SCOPE team",
        "MALFORMED_QUERY",
        "scope 'team' is not supported on this object",
    ),
    (
        "SELECT Id FROM Part__c WHERE UPPER(Name) = 'X'",
        "MALFORMED_QUERY",
        "Unknown function: UPPER",
    ),
    (
        "SELECT convertCurrency(Price__c) FROM Part__c",
        "INVALID_FIELD",
        "field 'Price__c' does not support convertCurrency",
    ),
    (
        "SELECT Id FROM Part__c LIMIT 1 OFFSET 2001",
        "NUMBER_OUTSIDE_VALID_RANGE",
        "Maximum SOQL offset allowed is 2000",
    ),
];

#[test]
fn refusals_say_why() {
    let mut site = workshop();
    for (query, code, end) in REFUSALS {
        let (status, body) = site.soql(query);
        assert_eq!(
            (status, &body[0]["errorCode"]),
            (400, &json!(code)),
            "{query}: {body}"
        );
        let message = body[0]["message"].as_str().expect("text");
        assert!(message.ends_with(end), "{query}: {message}");
        assert_eq!(body[0].get("fields"), None);
    }
}

const INNER: &str = "(SELECT Account__c FROM Part__c WHERE Size__c = 'S')";

#[test]
fn semi_joins_have_many_rules() {
    let mut site = workshop();
    let inner = INNER;
    let allowed = [
        format!("Id IN {inner} AND Name = 'Acme'"),
        format!("Id NOT IN {inner} AND Id IN {inner}"),
        "Id IN (SELECT p.Account__c FROM Part__c p WHERE p.Account__r.Name LIKE 'A%')".to_owned(),
        "OwnerId IN (SELECT Id FROM User WHERE IsActive = true)".to_owned(),
    ];
    for condition in &allowed {
        assert_eq!(
            site.soql(&format!("SELECT Id FROM Account WHERE {condition}")).0,
            200,
            "{condition}"
        );
    }
    let three = format!("SELECT Id FROM Account WHERE Id IN {inner} AND Id IN {inner} AND Id IN {inner}");
    assert_eq!(
        code(&site.soql(&three)),
        (400, "EXCEEDED_MAX_SEMIJOIN_SUBSELECTS".into())
    );
    let in_list = format!("SELECT Id, (SELECT Id FROM Parts__r WHERE Account__c IN {inner}) FROM Account");
    assert_eq!(code(&site.soql(&in_list)), (400, "MALFORMED_QUERY".into()));
    let having = format!("SELECT OwnerId, COUNT(Id) FROM Account GROUP BY OwnerId HAVING OwnerId IN {inner}");
    assert_eq!(code(&site.soql(&having)), (400, "MALFORMED_QUERY".into()));
}

#[test]
fn semi_joins_say_which_rule_they_break() {
    let mut site = workshop();
    let inner = INNER;
    let refused = [
        (
            format!("Name = 'x' OR Id IN {inner}"),
            "Semi join sub-selects are not allowed with the 'OR' operator",
        ),
        (
            format!("Name = 'x' AND (Id IN {inner} OR Name = 'y')"),
            "not in nested WHERE expressions.",
        ),
        (
            format!("(NOT Id IN {inner})"),
            "not allowed with the 'NOT' operator",
        ),
        (format!("Name IN {inner}"), "cannot use: 'Name'"),
        (format!("Owner.Id IN {inner}"), "cannot use: 'Owner.Id'"),
        (
            "Id IN (SELECT Id FROM Account)".into(),
            "The inner and outer selects should not be on the same object type",
        ),
        (
            "Id IN (SELECT Whole__c FROM Part__c)".into(),
            "should point to the same object type",
        ),
        (
            "Id IN (SELECT Name FROM Part__c)".into(),
            "must be an id or reference, cannot use: 'Name'",
        ),
        (
            "Id IN (SELECT WhatId FROM Task)".into(),
            "Entity 'Task' is not supported for semi join inner selects",
        ),
        (
            "Id IN (SELECT Account__c FROM Part__c LIMIT 5)".into(),
            "unexpected token: 'LIMIT'",
        ),
        (
            "Id IN (SELECT Account__c FROM Part__c ORDER BY Id)".into(),
            "unexpected token: 'ORDER'",
        ),
        (
            format!("Id IN (SELECT Account__c FROM Part__c WHERE Account__c IN {inner})"),
            "Nesting of semi join sub-selects is not supported",
        ),
        (
            "Id IN (SELECT Account__c, Id FROM Part__c)".into(),
            "can only query one id or reference field",
        ),
    ];
    for (condition, end) in &refused {
        let (status, body) = site.soql(&format!("SELECT Id FROM Account WHERE {condition}"));
        assert_eq!(
            (status, &body[0]["errorCode"]),
            (400, &json!("MALFORMED_QUERY")),
            "{condition}: {body}"
        );
        let message = body[0]["message"].as_str().expect("text");
        assert!(message.ends_with(end), "{condition}: {message}");
    }
}
