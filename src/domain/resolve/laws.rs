//! The laws of resolution over whole documents: header fields and lines under one matrix, through histories of edits
//! on both sides with a sync now and then.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::adapter::Mapped;
use crate::quote::Status;

const HEADER: [&str; 3] = ["quote.a", "quote.b", "quote.c"];
const LINE: [&str; 2] = ["line.quantity", "line.net_total"];
const KEYS: [&str; 3] = ["k1", "k2", "k3"];
const CENTS: Shape = Shape {
    scale: Some(2),
    form: crate::value::Form::Plain,
};

/// Who owns what: header fields, the set of lines, fields of lines, each with an owner and a policy.
type Owned = Vec<(&'static str, Side, &'static str)>;

fn matrix(owned: &Owned) -> Matrix {
    let rule = |(field, owner, policy): &(&str, Side, &str)| {
        let owner = owner.as_str().to_lowercase();
        format!("[[rule]]\nfield='{field}'\nowner='{owner}'\npolicy='{policy}'\n")
    };
    let text: String = owned.iter().map(rule).collect();
    Matrix::parse(&text, "laws").expect("it parses")
}

fn swapped(owned: &Owned) -> Owned {
    owned
        .iter()
        .map(|(field, owner, policy)| (*field, owner.other(), *policy))
        .collect()
}

fn mapping() -> Mapping {
    let mapped = || Mapped {
        path: String::new(),
        writable: true,
        shape: CENTS,
    };
    let names = HEADER.iter().chain(&LINE).chain(&["line.exists"]);
    Mapping {
        fields: names.map(|name| ((*name).into(), mapped())).collect(),
        warnings: vec![],
    }
}

/// Both systems and what they last agreed on.
#[derive(Clone, Debug, Default, PartialEq)]
struct World {
    crm: View,
    cpq: View,
    base: Base,
}

impl World {
    fn plan(&self, matrix: &Matrix) -> Plan {
        let facts = Facts {
            quote_status: Some(Status::Draft),
            ..Facts::default()
        };
        decide(&Question {
            matrix,
            facts: &facts,
            mapping: &mapping(),
            base: &self.base,
            crm: &self.crm,
            cpq: Some(&self.cpq),
            changed_at: (Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH),
            rulings: &[],
            asked: &[],
        })
    }

    fn sync(&mut self, matrix: &Matrix) -> Plan {
        let plan = self.plan(matrix);
        apply(&mut self.crm, &plan.to_crm);
        apply(&mut self.cpq, &plan.to_cpq);
        self.base = plan.base.clone();
        plan
    }

    fn side(&mut self, side: Side) -> &mut View {
        match side {
            Side::Crm => &mut self.crm,
            Side::Cpq => &mut self.cpq,
        }
    }
}

fn apply(view: &mut View, patch: &Patch) {
    view.fields.extend(patch.fields.clone());
    for (key, change) in &patch.lines {
        match change {
            LineChange::Put(fields) => view
                .lines
                .entry(key.clone())
                .or_insert_with(blank_line)
                .extend(fields.clone()),
            LineChange::Remove => drop(view.lines.remove(key)),
        }
    }
}

/// A side knows all fields of a line, also those that nobody has filled.
fn blank_line() -> BTreeMap<FieldName, Value> {
    LINE.iter().map(|field| ((*field).into(), Value::Null)).collect()
}

/// What a person does on one side.
#[derive(Clone, Debug)]
enum Edit {
    Header(usize, Value),
    Add(usize, Value, Value),
    Change(usize, usize, Value),
    Remove(usize),
    Sync,
}

fn do_it(world: &mut World, side: Side, edit: &Edit, matrix: &Matrix) {
    let key = |at: &usize| LineKey::new(KEYS[*at]).expect("a key");
    let view = world.side(side);
    match edit {
        Edit::Header(at, value) => drop(view.fields.insert(HEADER[*at].into(), value.clone())),
        Edit::Add(at, quantity, net) => {
            let fields = [(LINE[0].into(), quantity.clone()), (LINE[1].into(), net.clone())];
            view.lines.entry(key(at)).or_insert_with(|| fields.into());
        }
        Edit::Change(at, field, value) => {
            if let Some(fields) = view.lines.get_mut(&key(at)) {
                fields.insert(LINE[*field].into(), value.clone());
            }
        }
        Edit::Remove(at) => drop(view.lines.remove(&key(at))),
        Edit::Sync => drop(world.sync(matrix)),
    }
}

fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        1 => Just(Value::Null),
        2 => "[ab]{1,2}".prop_map(Value::Text),
        4 => (-3i64..4, 0u32..4).prop_map(|(n, scale)| Value::Number(rust_decimal::Decimal::new(n * 5, scale))),
    ]
}

fn any_edit() -> impl Strategy<Value = (bool, Edit)> {
    let edit = prop_oneof![
        3 => (0..HEADER.len(), any_value()).prop_map(|(at, value)| Edit::Header(at, value)),
        2 => (0..KEYS.len(), any_value(), any_value()).prop_map(|(at, one, two)| Edit::Add(at, one, two)),
        3 => (0..KEYS.len(), 0..LINE.len(), any_value()).prop_map(|(at, field, value)| Edit::Change(at, field, value)),
        1 => (0..KEYS.len()).prop_map(Edit::Remove),
        2 => Just(Edit::Sync),
    ];
    (any::<bool>(), edit)
}

fn any_side() -> impl Strategy<Value = Side> {
    any::<bool>().prop_map(|crm| if crm { Side::Crm } else { Side::Cpq })
}

fn any_owned(policies: &'static [&'static str]) -> impl Strategy<Value = Owned> {
    let fields: Vec<&'static str> = HEADER.into_iter().chain(LINE).chain(["line.exists"]).collect();
    let rules: Vec<_> = fields
        .into_iter()
        .map(|field| {
            let policies = match field {
                "line.exists" => &["always"][..],
                _ => policies,
            };
            (Just(field), any_side(), proptest::sample::select(policies))
        })
        .collect();
    rules
}

const ALL: &[&str] = &[
    "always", "if_blank", "seed", "snapshot", "computed", "review", "newest", "never",
];
const CLOSED: &[&str] = &["always", "computed", "snapshot"];

fn owner(owned: &Owned, field: &str) -> Side {
    let found = owned.iter().find(|(name, ..)| *name == field);
    found.expect("every field has a rule").1
}

fn blank() -> World {
    let fields: View = View {
        fields: HEADER
            .iter()
            .map(|field| ((*field).into(), Value::Null))
            .collect(),
        ..View::default()
    };
    World {
        crm: fields.clone(),
        cpq: fields,
        base: Base::default(),
    }
}

fn lived(owned: &Owned, edits: &[(bool, Edit)]) -> World {
    let matrix = matrix(owned);
    let mut world = blank();
    for (on_crm, edit) in edits {
        let side = if *on_crm { Side::Crm } else { Side::Cpq };
        do_it(&mut world, side, edit, &matrix);
    }
    world
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    /// After the last edit there are at most two syncs that write, and then none: the second one is for what the owner
    /// computes about a line that the first one made.
    #[test]
    fn quiet_after_two_syncs(owned in any_owned(ALL), edits in prop::collection::vec(any_edit(), 0..14)) {
        let mut world = lived(&owned, &edits);
        let matrix = matrix(&owned);
        world.sync(&matrix);
        world.sync(&matrix);
        for _ in 0..2 {
            let before = world.clone();
            let again = world.sync(&matrix);
            prop_assert!(again.to_crm.is_empty() && again.to_cpq.is_empty(), "{:?} then {:?}", before, again);
        }
    }

    /// Under closed policies syncs leave the owner's values alone and make the sides equal, header and lines.
    #[test]
    fn the_owner_wins_everywhere(owned in any_owned(CLOSED), edits in prop::collection::vec(any_edit(), 0..14)) {
        let before = lived(&owned, &edits);
        let mut world = before.clone();
        world.sync(&matrix(&owned));
        world.sync(&matrix(&owned));
        for field in HEADER {
            let (crm, cpq) = (&world.crm.fields[field], &world.cpq.fields[field]);
            prop_assert!(crm.same(cpq, CENTS), "{field}: {crm:?} and {cpq:?}");
            let own = match owner(&owned, field) { Side::Crm => &before.crm, Side::Cpq => &before.cpq };
            let now = match owner(&owned, field) { Side::Crm => crm, Side::Cpq => cpq };
            prop_assert_eq!(&own.fields[field], now);
        }
        for (key, crm) in &world.crm.lines {
            let Some(cpq) = world.cpq.lines.get(key) else { continue };
            for field in LINE {
                prop_assert!(crm[field].same(&cpq[field], CENTS), "{key} {field}: {crm:?} and {cpq:?}");
            }
        }
        let (owners, others) = match owner(&owned, "line.exists") {
            Side::Crm => (&world.crm, &world.cpq),
            Side::Cpq => (&world.cpq, &world.crm),
        };
        prop_assert!(owners.lines.keys().all(|key| others.lines.contains_key(key)), "{world:?}");
    }

    /// A line that both sides had and the owner took away is gone on both; no sync brings it back.
    #[test]
    fn no_line_comes_back(owned in any_owned(CLOSED), edits in prop::collection::vec(any_edit(), 0..10), at in 0..KEYS.len()) {
        let matrix = matrix(&owned);
        let mut world = lived(&owned, &edits);
        let (key, owner) = (LineKey::new(KEYS[at]).expect("a key"), owner(&owned, "line.exists"));
        world.side(owner).lines.entry(key.clone()).or_insert_with(blank_line);
        world.sync(&matrix);
        prop_assert!(world.crm.lines.contains_key(&key) && world.cpq.lines.contains_key(&key), "{:?}", world);
        world.side(owner).lines.remove(&key);
        for _ in 0..3 {
            world.sync(&matrix);
            prop_assert!(!world.crm.lines.contains_key(&key) && !world.cpq.lines.contains_key(&key), "{world:?}");
        }
    }

    /// Swapping sides and owners swaps everything: nothing in the rules favours the CRM or the CPQ.
    #[test]
    fn nobody_is_favoured(owned in any_owned(ALL), edits in prop::collection::vec(any_edit(), 0..14)) {
        let mirrored: Vec<_> = edits.iter().map(|(crm, edit)| (!crm, edit.clone())).collect();
        let there = lived(&owned, &edits);
        let back = lived(&swapped(&owned), &mirrored);
        prop_assert_eq!(&there.crm, &back.cpq);
        prop_assert_eq!(&there.cpq, &back.crm);
        let (one, other) = (there.plan(&matrix(&owned)), back.plan(&matrix(&swapped(&owned))));
        prop_assert_eq!(one.to_crm, other.to_cpq);
        prop_assert_eq!(one.to_cpq, other.to_crm);
    }

    /// A value of the other side that is overruled is kept in its decision; a person's edit never vanishes unseen.
    #[test]
    fn what_is_overruled_is_kept(owned in any_owned(ALL), edits in prop::collection::vec(any_edit(), 0..14)) {
        let world = lived(&owned, &edits);
        let plan = world.plan(&matrix(&owned));
        for (patch, held, base) in [
            (&plan.to_crm, &world.crm, &world.base.crm),
            (&plan.to_cpq, &world.cpq, &world.base.cpq),
        ] {
            for field in patch.fields.keys() {
                let old = base.fields.get(field);
                let edited = old.is_some_and(|old| !old.same(&held.fields[field], CENTS));
                if edited && !held.fields[field].is_null() {
                    let decision = plan.decisions.iter().find(|decision| decision.field == *field && decision.line.is_none());
                    prop_assert_eq!(decision.and_then(|decision| decision.lost.as_ref()), Some(&held.fields[field]));
                }
            }
        }
    }
}
