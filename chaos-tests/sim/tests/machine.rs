//! What the machine gives comes from the seed. Alone in its process, whose clock stands still from then on.

use std::hash::{BuildHasher, RandomState};

use muster_sim::machine::seed_everything;

#[test]
fn hashes_and_generators_follow_the_seed() {
    let draw = || {
        // In a thread of its own, because both keep what they drew for their thread.
        std::thread::spawn(|| {
            seed_everything(7);
            (RandomState::new().hash_one(1), rand::random::<u64>())
        })
        .join()
        .expect("it does not panic")
    };
    assert_eq!(draw(), draw());
}
