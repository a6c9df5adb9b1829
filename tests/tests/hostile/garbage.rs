//! Random garbage: no panic, no law of `receive` broken, and the same outcome however it is cut.

use fcgi_core::wire::Role;
use fcgi_core::{application, web_server};
use fcgi_tests::hand::*;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::{seen_until, with_bystander};

/// Bytes without any plan, or records with wrong types, ids, lengths and versions here and there.
fn garbage() -> impl Strategy<Value = Vec<u8>> {
    let kind = prop_oneof![8 => 0..13u8, 1 => any::<u8>()];
    let id = prop_oneof![8 => 0..4u16, 1 => any::<u16>()];
    let content = prop_oneof![
        2 => Just(Vec::new()),
        2 => Just(vec![0, 1, 1, 0, 0, 0, 0, 0]),
        4 => vec(any::<u8>(), 0..40),
    ];
    let padding = prop_oneof![3 => Just(0), 1 => any::<u8>()];
    let version = prop_oneof![60 => Just(1), 1 => any::<u8>()];
    let one =
        (version, kind, id, content, padding).prop_map(|(version, kind, id, content, padding)| {
            record_of_version(version, kind, id, &content, padding)
        });
    let records = vec(one, 0..30).prop_map(|records| records.concat());
    let noise = prop_oneof![3 => Just(Vec::new()), 1 => vec(any::<u8>(), 0..200)];
    (records, noise).prop_map(|(records, noise)| [records, noise].concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn an_application_survives(bytes in garbage(), noise in vec(any::<u8>(), 0..300)) {
        let (seen, outcome) = seen_until(&mut with_bystander::<3>(), &bytes);
        prop_assert!(outcome.is_ok() || outcome.unwrap_err().to_string().contains('§'));
        prop_assert!(seen.len() <= bytes.len());
        _ = seen_until(&mut application::Connection::<1>::new(), &noise);
        _ = seen_until(&mut application::Connection::<0>::new(), &bytes);
    }

    #[test]
    fn a_web_server_survives(bytes in garbage(), noise in vec(any::<u8>(), 0..300)) {
        let mut connection = web_server::Connection::<3>::new();
        for role in [Role::Responder, Role::Authorizer, Role::Filter] {
            prop_assert!(connection.begin(role, true).is_ok());
        }
        let (seen, outcome) = seen_until(&mut connection, &bytes);
        prop_assert!(outcome.is_ok() || outcome.unwrap_err().to_string().contains('§'));
        prop_assert!(seen.len() <= bytes.len());
        _ = seen_until(&mut web_server::Connection::<1>::new(), &noise);
    }
}
