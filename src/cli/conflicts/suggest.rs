//! `cpq conflicts suggest`: what past conflicts say about the rules.

use cpq_api::ConflictStatistics;
use cpq_domain::Result;
use cpq_domain::conflict::Habit;

use crate::cli::client::Client;
use crate::cli::output::{Output, table};

pub(super) async fn run(client: &Client, days: u32, output: Output) -> Result<u8> {
    let path = format!("/api/v1/statistics/conflicts?days={days}");
    let told: ConflictStatistics = client.get(&path).await?.json()?;
    output.data(&told, || text(&told));
    if !told.complete {
        output.say(format!(
            "only the newest {} conflicts were looked at",
            told.counted
        ));
    }
    if told.fields.iter().any(|habit| habit.suggestion.is_some()) {
        output.say(
            "try a rule before it is used: `cpq ownership show --toml > matrix.toml`, put it there, \
             `cpq ownership check matrix.toml`, `cpq ownership diff matrix.toml`, `cpq ownership apply matrix.toml`",
        );
    }
    Ok(0)
}

fn text(told: &ConflictStatistics) -> String {
    let head = [
        "FIELD", "POLICY", "SEEN", "OPEN", "LOST", "TOOK CRM", "TOOK CPQ", "OTHER",
    ];
    let mut parts = vec![table(&head, told.fields.iter().map(row))];
    for habit in &told.fields {
        if let Some(suggestion) = &habit.suggestion {
            let named: Vec<&str> = suggestion.otherwise_in.iter().map(|id| id.as_str()).collect();
            parts.push(format!(
                "\n{}: {}\n{}# decides {} of them as before, {} otherwise{}",
                habit.field,
                suggestion.why,
                suggestion.rule,
                suggestion.same,
                suggestion.otherwise,
                if named.is_empty() {
                    String::new()
                } else {
                    format!(": {}", named.join(" "))
                },
            ));
        }
    }
    parts.join("\n")
}

fn row(habit: &Habit) -> Vec<String> {
    let counts = [
        habit.seen,
        habit.open,
        habit.lost,
        habit.took_crm,
        habit.took_cpq,
        habit.took_other,
    ];
    let words = [habit.field.to_string(), habit.policy.as_str().to_owned()];
    words
        .into_iter()
        .chain(counts.map(|count| count.to_string()))
        .collect()
}
