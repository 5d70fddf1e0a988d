//! Bugs that are planted on purpose, to try the tests with: a net is as good as what it catches.
//!
//! Only with the feature `planted-bugs`, which no build that anybody runs has. Each is one of the mistakes that software
//! of this kind is known for, at the one line where it would be made.

use std::cell::Cell;

/// One row per bug: its name, and what it does.
macro_rules! bugs {
    ($($(#[$doc:meta])* $name:ident;)*) => {
        /// A mistake.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Bug { $($(#[$doc])* $name,)* }

        impl Bug {
            /// All of them.
            pub const ALL: &'static [Bug] = &[$(Bug::$name,)*];
        }
    };
}

bugs! {
    /// A worker that lost its lease goes on writing history.
    SkipsFencing;
    /// Runs of dead processes stay with them.
    ForgetsOrphans;
    /// A lease is over before its time.
    EndsLeasesEarly;
    /// Workers give no signs of life.
    GivesNoSigns;
    /// The journal skips a number.
    LeavesGaps;
    /// The end of a run is not in its journal.
    EndsWithoutARow;
    /// A wish is answered before it is durable.
    AnswersBeforeCommit;
    /// A failure of ours is stored as the answer to a key.
    StoresServerErrors;
    /// The key of a wish that joins another is not tied to it.
    DropsJoinedKeys;
    /// Two runs get one correlation id.
    NamesTwice;
    /// A decision is made anew when the run starts again.
    DecidesAnew;
    /// A run that starts again reads both sides anew in the middle of its writes.
    ReadsAnew;
    /// What was read before a restart still counts.
    RemembersTooMuch;
    /// A write whose answer was lost is sent again without a look.
    RetriesBlindly;
    /// A lost answer counts as a failure.
    TakesLossForFailure;
    /// Each attempt has a key of its own.
    MakesFreshKeys;
    /// The last agreement is not kept.
    ForgetsTheBase;
    /// The first agreement is kept for ever.
    KeepsTheFirstBase;
    /// A question to a person is not kept.
    LosesQuestions;
    /// An edit that lost is not kept.
    LosesLosers;
    /// A conflict ends with the values that it began with.
    EndsConflictsStale;
    /// A decision about values that have changed since is taken in.
    TakesOldRulings;
    /// The later edit wins where a person decides.
    LetsTheLaterWin;
    /// A question to a person is dropped because we wrote another field of the record.
    ForgetsWhatWasAsked;
    /// A field is written on the side that owns it.
    WritesUnowned;
    /// The owner's edit is not carried when the other side has edited too.
    DropsContestedEdits;
    /// A change of the record between look and write is overlooked.
    OverlooksEdits;
    /// Lines that are half written count as a rep's.
    BelievesHalfLines;
    /// A sync that was parked puts an old agreement in the place of a newer one.
    UndoesAgreements;
    /// An edit is taken for a lost write that arrived.
    TakesEditsForWrites;
    /// Two names of one opportunity are two lanes.
    KeepsTwoLanes;
    /// Hints of one opportunity do not share a run.
    KeepsHintsApart;
    /// A hint joins a run that has looked already.
    JoinsRunning;
    /// Hints that join a run are not kept.
    LosesJoinedHints;
    /// Whatever our own user did is filtered out.
    FiltersByOrigin;
    /// Of an event about several records only the first is seen.
    SeesFirstRecordOnly;
    /// The position is stored before what came before it.
    MovesCursorFirst;
    /// What the feed left out is not swept.
    IgnoresGaps;
    /// A position that is too old is replaced by the end of the feed.
    JumpsToTheEnd;
    /// A run is given to two workers.
    WorksTwice;
    /// A run is tried for ever.
    TriesForEver;
    /// The time that a peer asks for is not given.
    IgnoresRetryAfter;
    /// A login lets nothing go on.
    ForgetsToResume;
    /// An adapter says of a lost answer that nothing happened.
    AdapterHidesLosses;
    /// An adapter repeats a lost write by itself.
    AdapterRepeats;
    /// An adapter sends a key of its own.
    AdapterDropsKeys;
    /// An adapter answers from what it read first.
    AdapterRemembers;
    /// A feed says that it stands behind what it has not told yet.
    FeedRunsAhead;
    /// What somebody wants back is forgotten.
    ForgetsToUndo;
    /// What somebody edited since is taken back all the same.
    UndoesEdits;
    /// What the rules would write again is taken back.
    UndoesWhatComesAgain;
    /// What was agreed on by the sync that is taken back stays agreed on.
    RemembersTheUndone;
    /// What a sync decided, and perhaps never wrote, is taken back.
    UndoesWhatNeverWas;
    /// A sync that goes before one that takes something back knows nothing of it.
    HalvesUndoes;
}

thread_local! {
    static ON: Cell<Option<Bug>> = const { Cell::new(None) };
}

/// Plants a bug for everything that this thread does from now on, or takes it away.
pub fn plant(bug: Option<Bug>) {
    ON.set(bug);
}

impl Bug {
    /// Whether it is planted here.
    pub fn is_on(self) -> bool {
        ON.get() == Some(self)
    }
}
