//! Another tenant's object under one's own address.

use std::collections::BTreeSet;

use super::volley::Volley;
use crate::attack::attempt::Expect;
use crate::attack::stage::Stage;

pub(super) fn aim(stage: &mut Stage<'_>, volley: &mut Volley) {
    let index = volley.index;
    let attacker = stage.attacker.tenant.clone();
    let victim = stage.victim.tenant.clone();
    let given = stage.suite.probes.iter().flat_map(|probe| &probe.gives);
    let names: BTreeSet<String> = given.map(|(name, _)| name.clone()).collect();
    for name in names {
        let Some(theirs) = stage.victim.values.get(&name).map(String::from) else { continue };
        let own = stage.attacker.values.clone();
        let values = own.with(&name, theirs.as_str());
        let [with_theirs, with_own] = [&values, &own].map(|values| stage.shot_of(index, values));
        let (label, usual) = (with_theirs.label(), with_own.label());
        let in_body = !super::parameter::same(
            &with_theirs.content,
            &with_own.renewed(with_theirs.canary.clone()).content,
        );
        if label == usual && !in_body {
            continue;
        }
        // Ids that count per tenant may be those of an object of one's own.
        let own_object = own.get(&name) == Some(theirs.as_str());
        let expect = Expect::refused_if(stage.probe(index).reads() && !own_object);
        let token = stage.token(&attacker, index).sign();
        volley.add(
            expect,
            format!(
                "the token and the address of `{attacker}`, and `{name}` of an object of `{victim}`"
            ),
            with_theirs.bearer(&token),
        );
    }
}
