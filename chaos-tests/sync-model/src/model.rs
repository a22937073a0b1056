//! The model as the explorer wants it: first states, steps, and what to ask each state.

use stateright::{Model, Property};

use crate::bounds::Bounds;
use crate::invariants::{INVARIANTS, all_applied};
use crate::mutants::Rules;
use crate::state::{COPY, Cloud, Ghost, Item, MAIN, Machine, OTHER, State};
use crate::steps::{self, Step};

/// Not an invariant: that there is a run in which everything goes well, so that the model does not keep its promises by
/// doing nothing.
pub const GOOD_END: &str = "all operations take effect";

/// The protocol within bounds, with all its rules or all but one.
#[derive(Debug, Clone)]
pub struct SyncModel {
    /// What may happen.
    pub bounds: Bounds,
    /// What holds.
    pub rules: Rules,
}

impl Model for SyncModel {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        let main = Machine::new(0, 1);
        let other = self.bounds.second_edge.then(|| Machine::new(1, 2));
        let mut machines = [None, None, None];
        machines[MAIN] = Some(main);
        machines[OTHER] = other;
        machines[COPY] = None;
        let items = [Item { edge: 0, revision: 0 }; 2];
        vec![State {
            cloud: Cloud { records: [None, None], granted: [0, 0], past: vec![items] },
            machines,
            flight: Vec::new(),
            left: self.bounds.clone(),
            ghost: Ghost { incarnations: 2, ..Ghost::default() },
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Step>) {
        steps::of_protocol(self.rules, state, actions);
        steps::of_world(self.rules, state, actions);
    }

    fn next_state(&self, last_state: &State, action: Step) -> Option<State> {
        let mut state = last_state.clone();
        steps::take(self.rules, &mut state, action);
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = INVARIANTS.map(|(name, condition)| Property::always(name, condition)).to_vec();
        if self.bounds.operations[0] > 0 {
            properties.push(Property::sometimes(GOOD_END, all_applied));
        }
        properties
    }

    fn within_boundary(&self, state: &State) -> bool {
        // One more than may be, so that going round in circles is seen and ends.
        state.cloud.granted.iter().all(|granted| *granted <= self.bounds.sessions_max() + 1)
    }
}
