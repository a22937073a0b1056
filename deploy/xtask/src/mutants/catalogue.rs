//! Which check finds which bug.
//!
//! A check is one test of a suite. Knows no paths and runs nothing. A bug has at least one check, those that take least time
//! first; a new bug without one does not compile.

use std::fmt::{self, Display, Formatter};

use muster_planted::Bug;

/// A test binary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Suite {
    /// What customers of the pure core rely on.
    Domain,
    /// Unit tests of the node.
    Node,
    /// The edge's protocol against a model of the cluster, and the agent.
    Edge,
    /// Clusters of real processes.
    Clusters,
}

impl Suite {
    pub(super) const ALL: [Self; 4] = [Self::Domain, Self::Node, Self::Edge, Self::Clusters];

    /// Package and target.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Domain => "muster-domain it",
            Self::Node => "muster-node lib",
            Self::Edge => "muster-edge it",
            Self::Clusters => "muster-chaos it",
        }
    }
}

/// One test.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Check {
    pub(super) suite: Suite,
    /// Its whole name.
    pub(super) test: &'static str,
    /// Whether it is left to the long run.
    pub(super) is_long: bool,
}

impl Display for Check {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let suite = self.suite.name().split_once(' ').map_or("", |(package, _)| package);
        write!(f, "{} {}", suite.trim_start_matches("muster-"), self.test)
    }
}

fn domain(test: &'static str) -> Check {
    Check { suite: Suite::Domain, test, is_long: false }
}

fn node(test: &'static str) -> Check {
    Check { suite: Suite::Node, test, is_long: false }
}

fn edge(test: &'static str) -> Check {
    Check { suite: Suite::Edge, test, is_long: false }
}

fn clusters(test: &'static str) -> Check {
    Check { suite: Suite::Clusters, test, is_long: false }
}

/// A cluster that finds what a unit test finds sooner: what a user would see of it.
fn long(test: &'static str) -> Check {
    Check { suite: Suite::Clusters, test, is_long: true }
}

/// The checks that are to find a bug.
pub(super) fn checks(bug: Bug) -> Vec<Check> {
    match bug {
        Bug::VoteNotSynced => vec![node("raft::tests::log_durability::a_failed_purge_barrier_stops_everything")],
        Bug::AckedEarly => vec![
            node("raft::tests::log_durability::what_could_not_be_written_is_not_acknowledged"),
            long("syncing::a_write_is_acknowledged_when_its_slow_sync_is_done_and_not_before"),
        ],
        Bug::SyncSkipped => {
            vec![clusters("syncing::a_write_is_acknowledged_when_its_slow_sync_is_done_and_not_before")]
        }
        Bug::SyncErrorRetried => {
            vec![clusters("syncing::a_sync_that_fails_once_acknowledges_nothing_and_ends_the_node")]
        }
        Bug::PositionApart => {
            vec![node("read::tests::requests::a_change_and_the_position_that_counts_it_are_one_write")]
        }
        Bug::RequestsNotReloaded => vec![
            node("read::tests::requests::a_request_id_has_one_effect_over_restarts_and_installed_snapshots"),
            long("requests::a_request_id_has_one_effect_across_a_change_of_the_leader"),
        ],
        Bug::RequestsByTheClock => {
            vec![node("read::tests::requests::what_is_forgotten_of_requests_follows_the_times_in_the_log")]
        }
        Bug::LocalByDefault => vec![
            node("api::fields::tests::consistency_is_one_of_three"),
            long("api_behaviour::consistency::reads_are_as_fresh_as_asked"),
        ],
        Bug::NoReadBarrier => {
            vec![node("raft::tests::reads::a_new_leader_reads_nothing_before_it_holds_what_was_acknowledged")]
        }
        Bug::ReadBeforeTheTerm => {
            vec![node("raft::tests::reads::a_new_leader_reads_nothing_before_it_holds_what_was_acknowledged")]
        }
        Bug::ResumeOffByOne => vec![
            node("watch::tests::a_watch_tells_from_the_revision_that_it_asks_for"),
            long("watching::survives::watchers_miss_nothing_and_hear_nothing_twice_whatever_happens_to_nodes"),
        ],
        Bug::ProgressEarly => vec![
            node("watch::tests::a_message_says_that_it_came_as_far_as_what_is_in_it"),
            long("watching::told::several_watches_share_a_stream_and_large_revisions_come_in_parts"),
        ],
        Bug::DroppedWhenFull => vec![node("watch::tests::a_watch_that_is_overtaken_by_its_window_misses_nothing")],
        Bug::FloorIgnored => {
            vec![node("watch::tests::a_watch_that_falls_below_the_floor_says_so_and_tells_the_floor_itself")]
        }
        Bug::FloorSwept => {
            vec![node("read::tests::retention::the_past_above_the_floor_is_told_as_it_was_whenever_a_node_sweeps")]
        }
        Bug::ListJoinsLate => vec![clusters("watching::told::a_list_is_followed_by_every_change_after_it")],
        Bug::OrderOfAHash => vec![node("read::tests::what_is_remembered_of_deleted_records_changes_nothing")],
        Bug::ClockInApply => vec![
            node("read::tests::the_past_is_told_as_it_was"),
            long("kills::writes_resume_after_the_leader_is_killed_and_nothing_acknowledged_is_lost"),
        ],
        Bug::EpochNotChecked => vec![
            domain("edge_session::an_older_epoch_is_fenced"),
            long("sync_cloud::opening::a_newer_session_fences_the_older_one_on_the_same_node_and_on_another"),
        ],
        Bug::UplinkGap => vec![domain("edge_session::what_was_done_is_skipped_and_nothing_is_left_out")],
        Bug::DamageTakenForEnd => vec![node("raft::log_disk::tests::any_flipped_bit_below_the_last_round_is_refused")],
        Bug::WipedMemberVotes => vec![
            node("raft::gate::tests::an_empty_node_takes_part_only_after_it_was_asked"),
            long("wiped::a_member_that_lost_its_data_directory_does_not_vote"),
        ],
        Bug::VotersInTwoSteps => {
            vec![node("membership::plan::tests::a_replacement_enters_and_the_replaced_leaves_in_one_change")]
        }
        Bug::FirstPermits => vec![domain("policy::a_command_is_permitted_as_a_whole")],
        Bug::AdmittedOnce => vec![
            node("watch::tests::a_caller_who_may_not_go_on_is_told_nothing_more"),
            long("watching::audience::a_revoked_token_ends_its_watches"),
        ],
        Bug::ImagesWithTags => vec![
            node("watch::tests::images_show_a_device_its_twin_without_tags"),
            long("watching::audience::a_device_sees_its_twin_without_tags_and_without_who_changed_it"),
        ],
        Bug::NamespacePrefix => {
            vec![node("read::filter::tests::a_namespace_holds_nothing_of_one_whose_name_begins_with_its_own")]
        }
        Bug::WindowUnbounded => vec![node("watch::lane::tests::a_window_says_when_it_begins_too_late")],
        Bug::ElectionsTogether => vec![node(
            "raft::settings::tests::members_stand_for_election_at_different_times_and_hear_the_leader_before",
        )],
        Bug::NoDeadline => vec![node("raft::peers::tests::a_call_that_is_never_answered_ends")],
        Bug::SessionsResumed => vec![node("tls::tests::no_session_is_resumed")],
        Bug::ActorLost => vec![
            node("read::tests::requests::the_log_says_who_asked_from_where_and_under_which_id"),
            long("door::roles::events_say_who_did_it_and_from_where"),
        ],
        Bug::IndexMissed => {
            vec![node("read::tests::edges::sites_inside_of_a_site_are_found_in_the_store_and_in_the_open_batch")]
        }
        Bug::UnknownEventSkipped => vec![node("store::codec::tests::damage::kinds_of_a_newer_version_are_named")],

        Bug::GapInLog => vec![node("raft::log_disk::tests::entries_out_of_order_are_refused_before_they_are_written")],
        Bug::SaltIgnored => vec![node("raft::log_disk::frame::tests::a_frame_is_found_with_what_lies_behind_it")],
        Bug::MarkNotLowered => vec![node("raft::tests::log_durability::the_high_water_mark_follows_a_truncation_down")],
        Bug::PurgedTooSoon => vec![node("raft::tests::log_durability::a_failed_purge_barrier_stops_everything")],
        Bug::ChecksumIgnored => vec![node("store::envelope::tests::every_flipped_bit_is_noticed")],
        Bug::SnapshotUnchecked => {
            vec![node("raft::snapshot_receiver::tests::a_file_whose_hash_is_not_the_manifests_is_refused")]
        }
        Bug::ChunkMisplaced => vec![node("raft::snapshot_receiver::tests::chunks_out_of_place_are_refused")],
        Bug::TwinsMarkedEarly => vec![node("read::tests::twins_are_whole_after_a_kill_at_any_point_of_writing_them")],
        Bug::ChainUnlinked => {
            vec![node("store::event_log::tests::what_lies_in_the_log_is_what_earlier_versions_wrote")]
        }
        Bug::TornView => vec![
            node("read::tests::views::views_hold_what_the_records_say"),
            long("queries::exact::what_was_acknowledged_before_a_query_is_in_its_answer_while_leaders_die"),
        ],
        Bug::CheckpointUnchecked => {
            vec![node("read::tests::views::a_checkpoint_that_is_damaged_or_of_another_history_is_left_aside")]
        }
        Bug::ImageTooNew => vec![node("read::tests::the_past_is_told_as_it_was")],
        Bug::EtagIgnored => vec![
            domain("device::a_stale_etag_is_refused_with_the_current_one"),
            long("chaos::a_storm_breaks_no_promise"),
        ],
        Bug::HalfABatch => vec![
            node("read::tests::requests::what_a_batch_of_all_or_nothing_did_before_it_was_refused_is_undone"),
            long("chaos::a_storm_breaks_no_promise"),
        ],
        Bug::OtherBodyAnswered | Bug::RequestsOfAll => {
            vec![node("read::tests::requests::a_request_id_is_its_senders_and_its_bodys")]
        }
        Bug::VersionsRestart => vec![
            domain("device::versions_go_on_and_generations_differ_over_lives"),
            long("api_behaviour::lives::a_second_life_of_an_id_is_told_apart_and_its_versions_go_on"),
        ],
        Bug::CursorGoesBack => vec![
            domain("cursor::a_cursor_moves_forward_only_and_never_beyond_what_exists"),
            long("watching::cursors::cursors_that_break_a_rule_are_refused"),
        ],
        Bug::FloorFalls => vec![domain("retention::a_floor_is_a_revision_that_exists_and_never_falls")],
        Bug::RevokedStillValid => vec![domain("policy::a_token_counts_as_long_as_it_says_the_same")],
        Bug::NamespaceOfRole => {
            vec![domain("policy::roles_change_what_they_may"), long("door::roles::roles_reach_as_far_as_they_say")]
        }
        Bug::PeerUnproved => {
            vec![node("raft::peer_service::tests::a_call_is_for_this_node_and_from_who_the_certificate_says")]
        }
        Bug::JoinedTwice => vec![domain("node::a_token_counts_once_and_only_its_own_joining_may_repeat_itself")],
        Bug::KeyOfAnotherPlace => vec![node("secrets::tests::moved_changed_truncated_or_foreign_does_not_open")],
        Bug::LearnerTooFar => {
            vec![node("membership::guard::tests::a_learner_far_behind_is_not_promoted_and_the_refusal_says_how_far")]
        }
        Bug::QuorumAtRisk => {
            vec![node("membership::guard::tests::what_is_left_must_have_a_majority_that_answers_unless_forced")]
        }
        Bug::MarkBeforeItems => {
            vec![node("sync::scope::tests::an_edge_that_follows_the_passes_holds_the_scope_as_of_each_mark")]
        }
        Bug::MoveNotTold => vec![
            node("sync::routing::tests::after_each_step_a_scope_is_what_the_domain_says"),
            long("sync_cloud::down::what_moves_leaves_one_edge_and_comes_to_the_other"),
        ],
        Bug::EdgeEpochGoesBack => vec![edge("faults::a_welcome_of_an_epoch_that_was_is_not_gone_on_with")],
        Bug::EdgeForgetsEarly | Bug::EdgeSentUnwritten | Bug::EdgeAnswersUnsynced => {
            vec![edge("faults::a_crash_at_any_write_loses_and_doubles_nothing")]
        }
        Bug::EdgeCursorEarly => {
            vec![edge("faults::without_faults_everything_arrives_and_only_what_left_the_scope_is_repaired")]
        }
        Bug::EdgeDropsSent => vec![edge("queue_full::or_it_drops_the_oldest_that_was_never_sent")],
    }
}
