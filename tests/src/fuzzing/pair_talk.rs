//! Both machines talk, as the input says.

use fcgi_core::wire::Role;

use super::byte;
use crate::machines::talk::{Choices, Plan, talk};

/// The first byte says how many requests there are, up to 6, then six bytes describe each; the rest
/// decides who does what next.
pub fn pair_talk(mut input: &[u8]) {
    let count = byte(&mut input) % 7;
    let plans: Vec<_> = (0..count).map(|_| plan(&mut input)).collect();
    let cut_short = plans.iter().filter(|plan| plan.abort || plan.early).count();
    let summary = talk::<4, 2>(&plans, &mut Choices::new(input));
    assert_eq!(summary.served + summary.cut_short, plans.len());
    assert_eq!(summary.cut_short, cut_short);
}

fn plan(input: &mut &[u8]) -> Plan {
    let flags = byte(input);
    let names = byte(input);
    Plan {
        role: [Role::Responder, Role::Authorizer, Role::Filter][usize::from(flags) % 3],
        // A few may be long: all together stay below the limit of the parameters.
        params: (0..names % 16)
            .map(|at| {
                let value = if at < 3 { length(names) } else { at.into() };
                (vec![b'A' + at; at.into()], vec![names; value])
            })
            .collect(),
        stdin: length(byte(input)),
        data: length(byte(input)),
        stdout: length(byte(input)),
        stderr: length(byte(input)),
        app_status: flags.into(),
        abort: flags & 0x40 != 0,
        early: flags & 0x80 != 0,
    }
}

/// Mostly small, sometimes around and above what one record holds.
fn length(code: u8) -> usize {
    match code {
        0..=199 => code.into(),
        200..=239 => usize::from(code - 199) * 100,
        _ => 65_520 + usize::from(code),
    }
}
