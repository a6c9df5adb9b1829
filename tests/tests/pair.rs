//! Both machines talk in memory: random roles, sizes, cuts, short writes, aborts and early ends, up
//! to several requests at a time on one connection. Every byte arrives once and in order, every
//! request ends exactly once, and ids are used again.

use fcgi_core::wire::Role;
use fcgi_tests::machines::talk::{Choices, Plan, Summary, talk};
use proptest::collection::vec;
use proptest::prelude::*;

fn plan(role: Role) -> Plan {
    Plan {
        role,
        params: vec![(b"REQUEST_METHOD".to_vec(), b"POST".to_vec())],
        stdin: 0,
        data: 0,
        stdout: 0,
        stderr: 0,
        app_status: 0,
        abort: false,
        early: false,
    }
}

#[test]
fn bodies_of_every_critical_length_arrive() {
    // Around one record's content, and around what 16 bits of length can say.
    let lengths = [
        0, 1, 7, 8, 65_527, 65_528, 65_529, 65_535, 65_536, 131_056, 200_000,
    ];
    let mut plans = Vec::new();
    for (at, &length) in lengths.iter().enumerate() {
        for role in [Role::Responder, Role::Authorizer, Role::Filter] {
            plans.push(Plan {
                stdin: length,
                data: lengths[lengths.len() - 1 - at],
                stdout: length,
                stderr: length / 3,
                app_status: 0xffff_ffff,
                ..plan(role)
            });
        }
    }
    for seed in 0..8 {
        let summary = talk::<4, 4>(&plans, &mut Choices::new(&[seed]));
        assert_eq!((summary.served, summary.refused), (plans.len(), 0));
        assert!(summary.most_active > 1, "multiplexed");
        assert!(summary.ids_reused > 20, "on four ids");
    }
}

#[test]
fn parameters_larger_than_a_record_arrive() {
    let long = |length: usize| (b"LONG".to_vec(), vec![b'v'; length]);
    let plans = [
        Plan {
            params: vec![long(65_500), long(127), long(128), long(60_000)],
            ..plan(Role::Responder)
        },
        Plan {
            params: vec![long(200_000), (vec![b'N'; 300], Vec::new())],
            ..plan(Role::Authorizer)
        },
        Plan {
            params: vec![(Vec::new(), Vec::new()); 1000],
            ..plan(Role::Filter)
        },
    ];
    for seed in 0..8 {
        let summary = talk::<3, 3>(&plans, &mut Choices::new(&[seed]));
        assert_eq!(summary.served, 3);
    }
}

#[test]
fn an_application_with_less_room_refuses_and_serves_all_in_the_end() {
    let plans: Vec<_> = (0..60)
        .map(|at| Plan {
            stdin: at * 3,
            stdout: 100,
            ..plan(Role::Responder)
        })
        .collect();
    let few = talk::<8, 2>(&plans, &mut Choices::new(b"overloaded"));
    assert_eq!(few.served, 60);
    assert!(few.refused > 0 && few.most_active > 2);
    let one = talk::<2, 1>(&plans, &mut Choices::new(b"one at a time"));
    assert_eq!(one.served, 60);
    assert!(one.refused > 0);
}

#[test]
fn aborts_and_early_ends_leave_the_others_alone() {
    let plans: Vec<_> = (0..90)
        .map(|at| Plan {
            stdin: 1000,
            data: 1000,
            stdout: 1000,
            abort: at % 3 == 1,
            early: at % 3 == 2,
            ..plan([Role::Responder, Role::Authorizer, Role::Filter][at / 3 % 3])
        })
        .collect();
    for seed in 0..8 {
        let summary = talk::<5, 5>(&plans, &mut Choices::new(&[seed]));
        assert_eq!((summary.served, summary.cut_short), (30, 60));
    }
}

fn length() -> impl Strategy<Value = usize> {
    prop_oneof![
        4 => 0..40usize,
        2 => 0..3000usize,
        1 => 65_520..65_545usize,
        1 => 65_536..150_000usize,
    ]
}

fn any_plan() -> impl Strategy<Value = Plan> {
    let role = prop_oneof![
        3 => Just(Role::Responder),
        1 => Just(Role::Authorizer),
        2 => Just(Role::Filter),
    ];
    let name = vec(any::<u8>(), 0..20);
    let value = prop_oneof![5 => vec(any::<u8>(), 0..40), 1 => vec(any::<u8>(), 120..300)];
    let params = vec((name, value), 0..12);
    let cut_short = (
        proptest::bool::weighted(0.15),
        proptest::bool::weighted(0.15),
    );
    let lengths = (length(), length(), length(), length());
    (role, params, lengths, any::<u32>(), cut_short).prop_map(
        |(role, params, (stdin, data, stdout, stderr), app_status, (abort, early))| Plan {
            role,
            // This name is the harness's own.
            params: params
                .into_iter()
                .filter(|(name, _)| name != b"PLAN")
                .collect(),
            stdin,
            data,
            stdout,
            stderr,
            app_status,
            abort,
            early,
        },
    )
}

fn check(plans: &[Plan], summary: &Summary) {
    let cut_short = plans.iter().filter(|plan| plan.abort || plan.early).count();
    assert_eq!(summary.cut_short, cut_short);
    assert_eq!(summary.served, plans.len() - cut_short);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn any_conversation_is_complete(plans in vec(any_plan(), 1..14), seed in vec(any::<u8>(), 8)) {
        check(&plans, &talk::<4, 4>(&plans, &mut Choices::new(&seed)));
    }

    #[test]
    fn any_conversation_survives_refusals(
        plans in vec(any_plan(), 1..10),
        seed in vec(any::<u8>(), 8),
    ) {
        check(&plans, &talk::<6, 2>(&plans, &mut Choices::new(&seed)));
        check(&plans, &talk::<3, 1>(&plans, &mut Choices::new(&seed)));
    }

    #[test]
    fn any_conversation_works_one_at_a_time(
        plans in vec(any_plan(), 1..6),
        seed in vec(any::<u8>(), 8),
    ) {
        let summary = talk::<1, 1>(&plans, &mut Choices::new(&seed));
        check(&plans, &summary);
        prop_assert_eq!(summary.ids_reused, plans.len() - 1);
        prop_assert_eq!(summary.refused, 0);
    }
}
