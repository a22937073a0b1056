//! Looks at the nodes all the time and writes down who leads, and where in the log each is.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use muster_sim_node::raft::Role;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::invariants::one_leader_per_term::Leads;
use crate::invariants::same_revision_same_state::Place;
use crate::world::World;

/// How often it looks.
const PAUSE: Duration = Duration::from_millis(25);

/// What was seen.
#[derive(Debug, Default)]
pub struct Seen {
    /// Who led.
    pub leads: Vec<Leads>,
    /// Where nodes were.
    pub places: Vec<Place>,
}

/// Looks until told to stop.
pub async fn watch(world: Arc<World>, seen: Arc<Mutex<Seen>>, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        look(&world, &seen);
        tokio::select! {
            () = sleep(PAUSE) => {}
            _ = stop.changed() => {}
        }
    }
    look(&world, &seen);
}

fn look(world: &World, seen: &Mutex<Seen>) {
    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    for (node, running) in world.all_running() {
        let status = running.node.raft.status();
        if status.role == Role::Leader {
            let leads = Leads { term: status.term, node };
            if seen.leads.last() != Some(&leads) {
                seen.leads.push(leads);
            }
        }
        let position = running.node.reader.local().position();
        let place = Place { node, revision: position.revision, chain: position.chain };
        if !seen.places.iter().rev().take(16).any(|known| *known == place) {
            seen.places.push(place);
        }
    }
}
