//! Seeds.

#[test]
fn the_same_seed_twice_gives_the_same_trace() {
    for seed in 0..20 {
        let (one, other) = (sim::live(seed), sim::live(seed));
        assert_eq!(one.hash, other.hash, "seed {seed}");
    }
}
