//! Nothing of Storm 2.8's IDL is missing.

use std::collections::BTreeSet;

use nimbus_client::catalogue::{Kind, Method, Type};
use nimbus_client::{native, thrift};

#[track_caller]
fn check_types(types: &[Type], kind: Kind, count: usize) {
    let names: BTreeSet<&str> =
        types.iter().filter(|row| row.kind == kind).map(|row| row.name).collect();
    assert_eq!(names.len(), count, "{kind:?}: {names:?}");
}

#[track_caller]
fn check_methods(methods: &[Method], service: &str, count: usize) {
    let names: BTreeSet<&str> =
        methods.iter().filter(|row| row.service == service).map(|row| row.name).collect();
    assert_eq!(names.len(), count, "{service}: {names:?}");
}

#[test]
fn all_types_of_storm_are_there() {
    check_types(thrift::TYPES, Kind::Struct, 77);
    check_types(thrift::TYPES, Kind::Union, 7);
    check_types(thrift::TYPES, Kind::Enum, 10);
    check_types(thrift::TYPES, Kind::Exception, 10);
    assert_eq!(thrift::TYPES.len(), 77 + 7 + 10 + 10);
}

#[test]
fn all_methods_of_storm_are_there() {
    check_methods(thrift::METHODS, "Nimbus", 55);
    check_methods(thrift::METHODS, "Supervisor", 3);
    check_methods(thrift::METHODS, "DistributedRPC", 1);
    check_methods(thrift::METHODS, "DistributedRPCInvocations", 4);
    assert_eq!(thrift::METHODS.len(), 55 + 3 + 1 + 4);
}

#[test]
fn what_is_ours_stands_beside_it_and_shares_no_name() {
    check_types(native::TYPES, Kind::Struct, 4);
    check_methods(native::METHODS, "WorkerGate", 2);
    check_methods(native::METHODS, "SupervisorGate", 2);
    let storms: BTreeSet<&str> = thrift::METHODS.iter().map(|row| row.name).collect();
    let shared: Vec<&str> =
        native::METHODS.iter().map(|row| row.name).filter(|name| storms.contains(name)).collect();
    assert!(
        shared.is_empty(),
        "one port serves both, so methods need names of their own: {shared:?}"
    );
}
