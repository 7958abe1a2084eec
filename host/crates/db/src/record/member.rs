//! The stored form of a membership.

use serde::{Deserialize, Serialize};
use spaceport_core::permission::OrgRole;

use crate::member::Member;
use crate::record::record_by_json;

record_by_json!(Member, MemberV1);

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MemberV1 {
    role: OrgRoleV1,
    since: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum OrgRoleV1 {
    Read,
    Contributor,
    Write,
    Admin,
}

impl From<&Member> for MemberV1 {
    fn from(member: &Member) -> Self {
        let role = match member.role {
            OrgRole::Read => OrgRoleV1::Read,
            OrgRole::Contributor => OrgRoleV1::Contributor,
            OrgRole::Write => OrgRoleV1::Write,
            OrgRole::Admin => OrgRoleV1::Admin,
        };
        Self { role, since: member.since }
    }
}

impl From<MemberV1> for Member {
    fn from(stored: MemberV1) -> Self {
        let role = match stored.role {
            OrgRoleV1::Read => OrgRole::Read,
            OrgRoleV1::Contributor => OrgRole::Contributor,
            OrgRoleV1::Write => OrgRole::Write,
            OrgRoleV1::Admin => OrgRole::Admin,
        };
        Self { role, since: stored.since }
    }
}
