//! What every store must keep, whatever engine is behind it. Each promise is a function over an open, empty store.

mod audit;
mod bookkeeping;
mod conflicts;
mod copy;
mod dead_letters;
mod deletions;
mod grants;
mod idempotency;
mod journal;
mod positions;
mod queue;
mod quotes;
mod reconcile;
mod replays;
mod runs;
mod sample;
mod server;
mod transactions;
mod watched;

use cpq_store::{Store, StoreOptions};

/// One test per promise and engine.
macro_rules! promises {
    ($($module:ident: $($promise:ident),+;)+) => {
        mod in_memory {
            $(mod $module { $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $promise() { crate::$module::$promise(crate::memory().await).await }
            )+ })+
        }
        mod in_a_file {
            $(mod $module { $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $promise() {
                    let directory = tempfile::tempdir().expect("a directory");
                    crate::$module::$promise(crate::file(&directory).await).await
                }
            )+ })+
        }
        mod on_a_server {
            $(mod $module { $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                #[ignore = "needs a PostgreSQL server; ./test starts one"]
                async fn $promise() {
                    let schema = crate::server::Schema::new().await;
                    crate::$module::$promise(schema.open().await).await;
                    schema.remove().await
                }
            )+ })+
        }
    };
}

promises! {
    audit: entries_follow_from_each_other_whoever_adds_them, whatever_is_changed_shows, an_act_that_fails_leaves_no_gap;
    transactions: a_failed_job_leaves_nothing, a_panic_fails_alone, a_job_that_waits_is_refused,
        a_reader_cannot_write, a_dropped_caller_does_not_undo_its_job, an_oversized_value_is_refused;
    runs: a_run_reads_back_as_it_was, correlation_finds_ours_and_the_callers, a_page_follows_the_page_before,
        states_are_counted, an_update_with_an_old_attempt_is_refused;
    queue: due_runs_are_claimed_oldest_first, a_lane_runs_one_at_a_time, lanes_never_run_twice_under_load,
        a_lost_lease_is_fenced, a_lost_lease_is_queued_and_counted, runs_that_two_processes_died_on_run_one_at_a_time, a_waiting_run_is_shared,
        a_reconnect_wakes_its_connection, an_answer_wakes_its_lane, the_next_due_run_is_known, one_run_can_be_taken,
        a_heartbeat_keeps_only_living_leases, a_run_enters_the_lane_of_another_name, a_run_lines_up_behind_others, parked_runs_that_may_have_written_are_found, who_holds_runs_is_known;
    journal: rows_are_numbered_per_run, a_reader_follows_all_runs, a_journal_belongs_to_a_run;
    idempotency: one_of_many_is_fresh, a_fresh_key_has_its_row, an_answer_is_kept_to_the_byte, another_request_is_told_nothing,
        a_released_key_is_new, keys_hang_on_runs, answers_expire_then_keys;
    grants: a_grant_reads_back, generations_never_start_over, only_the_newest_lease_saves,
        one_refresh_at_a_time, a_dead_grant_stays_known, a_login_ends_a_refresh_under_way;
    positions: a_position_reads_back, one_reader_at_a_time, a_position_belongs_to_an_organisation,
        feeds_are_listed_by_connection, the_longest_unseen_come_first_and_once, the_backlog_is_measured;
    quotes: a_quote_reads_back, a_second_quote_is_refused, a_stale_replace_changes_nothing,
        the_current_quote_is_the_newest, lists_narrow_and_page, events_are_numbered_per_quote;
    watched: what_has_not_ended_is_counted, a_connection_is_known_by_its_newest_rows;
    deletions: answers_are_found_by_both_names_until_cleared;
    conflicts: one_conflict_per_field_is_open, conflicts_are_listed_newest_first;
    reconcile: one_reconcile_of_a_connection_runs, a_lost_reconcile_writes_nothing_more, certificates_add_up_and_page,
        differing_records_page_and_go, current_quotes_come_by_the_page, lanes_in_motion_are_known;
    dead_letters: a_letter_reads_back_and_takes_the_place_of_an_earlier_one, letters_are_listed_last_death_first,
        open_letters_are_grouped_by_cause, a_selection_takes_in_no_later_death, open_letters_are_folded_by_lane,
        dead_runs_without_a_letter_are_found, a_later_success_of_the_lane_is_known;
    replays: a_plan_is_sealed_once, one_process_carries_a_plan_out, a_replay_whose_process_died_is_found,
        what_people_want_of_a_replay_is_heard, items_come_in_order_and_by_state, items_of_old_plans_go_and_plans_stay;
    bookkeeping: counters_have_no_gaps, a_link_belongs_to_one_quote, agreements_are_replaced, decisions_are_kept, many_decisions_are_kept_in_order, a_repeated_decision_is_not_kept,
        tokens_are_found_by_hash, deliveries_are_seen_once, schemas_are_cached, old_matrices_stay, the_store_tells_what_it_is;
}

async fn memory() -> Store {
    Store::open(StoreOptions::memory())
        .await
        .expect("the store opens")
}

async fn file(directory: &tempfile::TempDir) -> Store {
    Store::open(StoreOptions::at(directory.path().join("cpq.db")))
        .await
        .expect("the store opens")
}

/// Runs an async block as a job and expects it to end well: `write!(store, |tx| runs::insert(tx, &run))`.
/// What the block uses is cloned into it, as a job outlives its caller.
#[macro_export]
macro_rules! write {
    ($store:expr, |$tx:ident| $work:expr) => {
        $store
            .write(move |$tx| Box::pin(async move { $work.await }))
            .await
    };
}

/// The same for a job that reads.
#[macro_export]
macro_rules! read {
    ($store:expr, |$tx:ident| $work:expr) => {
        $store.read(move |$tx| Box::pin(async move { $work.await })).await
    };
}
