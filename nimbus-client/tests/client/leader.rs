//! How the leader is found, and found again.

use nimbus_client::client::{Address, ClientError, NimbusClient};
use nimbus_client::thrift::NotAliveException;
use nimbus_client::wire::ApplicationErrorKind;

use crate::script::{
    answer, exception, leader_is, leading, nothing, nowhere, options, refuse, serve,
};

#[test]
fn a_seed_leads_to_the_leader() {
    let leader = serve(vec![vec![answer(nothing())]]);
    let seed = serve(vec![vec![leader_is(&leader.address)]]);
    let mut nimbus = NimbusClient::new(vec![seed.address.clone()], options());
    nimbus.activate("words").expect("the leader answers");
    assert_eq!(nimbus.leader_address(), Some(&leader.address));
    assert_eq!(seed.finish(), [["getLeader"]]);
    assert_eq!(leader.finish(), [["activate"]]);
}

#[test]
fn seeds_are_asked_in_turn() {
    let leader = leading(|address| vec![vec![leader_is(address), answer(nothing())]]);
    let confused = serve(vec![vec![refuse(
        ApplicationErrorKind::InternalError,
        "Internal error processing getLeader",
    )]]);
    let seeds = vec![nowhere(), confused.address.clone(), leader.address.clone()];
    let mut nimbus = NimbusClient::new(seeds, options());
    nimbus.activate("words").expect("the third one leads");
    assert_eq!(leader.finish(), [["getLeader", "activate"]]);
    confused.finish();
}

#[test]
fn seeds_that_know_no_leader_are_all_told() {
    let refuse = || vec![refuse(ApplicationErrorKind::InternalError, "No leader found")];
    let confused = serve(vec![refuse(), refuse(), refuse()]);
    let gone = nowhere();
    let seeds = vec![gone.clone(), confused.address.clone()];
    let error = NimbusClient::new(seeds, options()).activate("words").expect_err("none leads");
    let told = error.to_string();
    assert!(told.starts_with("no leader was found among the seeds: "), "{told}");
    assert!(told.contains(&format!("{gone} refuses connections; ")), "{told}");
    assert!(told.contains("No leader found"), "{told}");
    assert!(told.ends_with("; start Nimbus, or correct nimbus.seeds"), "{told}");
    assert_eq!(confused.finish().len(), 3, "a leader may be elected meanwhile");
}

#[test]
fn no_seeds_are_an_error_too() {
    let error = NimbusClient::new(Vec::new(), options()).activate("words").expect_err("none");
    assert!(error.to_string().contains("there are none"), "{error}");
}

#[test]
fn a_leader_that_is_gone_is_found_again() {
    let second = leading(|address| vec![vec![leader_is(address), answer(nothing())]]);
    let first = leading(|address| vec![vec![leader_is(address), answer(nothing())]]);
    let seeds = vec![first.address.clone(), second.address.clone()];
    let mut nimbus = NimbusClient::new(seeds, options());
    nimbus.activate("words").expect("the first one leads");
    first.finish();
    nimbus.kill("words", None).expect("the second one has taken over");
    assert_eq!(nimbus.leader_address(), Some(&second.address));
    assert_eq!(second.finish(), [["getLeader", "killTopologyWithOpts"]]);
}

#[test]
fn an_answer_of_the_leader_does_not_cast_doubt_on_it() {
    let dead = exception(1, &NotAliveException::new("words is not alive".to_owned()));
    let leader = leading(|address| vec![vec![leader_is(address), answer(dead), answer(nothing())]]);
    let mut nimbus = NimbusClient::new(vec![leader.address.clone()], options());
    nimbus.activate("words").expect_err("it is dead");
    nimbus.activate("other").expect("it is alive");
    assert_eq!(leader.finish(), [["getLeader", "activate", "activate"]]);
}

#[test]
fn a_leader_that_failed_is_looked_for_anew() {
    let leader = leading(|address| {
        vec![
            vec![leader_is(address), refuse(ApplicationErrorKind::InternalError, "not a leader")],
            vec![leader_is(address), answer(nothing())],
        ]
    });
    let mut nimbus = NimbusClient::new(vec![leader.address.clone()], options());
    nimbus.kill("words", None).expect_err("it does not lead");
    nimbus.kill("words", None).expect("now it does");
    assert_eq!(leader.finish(), [["getLeader", "killTopologyWithOpts"]; 2]);
}

#[test]
fn a_leader_that_knows_itself_by_loopback_is_reached_as_its_seed_was() {
    let seed = serve(vec![vec![leader_is(&nowhere()), answer(nothing())]]);
    let mut nimbus = NimbusClient::new(vec![seed.address.clone()], options());
    nimbus.activate("words").expect("the way to the seed leads to it");
    assert_eq!(nimbus.leader_address(), Some(&seed.address));
    assert_eq!(seed.finish(), [["getLeader", "activate"]]);
}

#[test]
fn a_leader_that_cannot_be_reached_is_told_with_the_seed() {
    let hidden = Address::new("nimbus.invalid", 6627);
    let seed = serve(vec![vec![leader_is(&hidden)]]);
    let mut nimbus = NimbusClient::new(vec![seed.address.clone()], options().without_retries());
    let error = nimbus.activate("words").expect_err("its name is not known here");
    let begin = format!(
        "{} says that the leader is nimbus.invalid:6627, which cannot be reached from here: ",
        seed.address
    );
    assert!(error.to_string().starts_with(&begin), "{error}");
    assert!(matches!(error, ClientError::LeaderUnreachable { .. }));
    seed.finish();
}
