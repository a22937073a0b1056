//! Calls about members of the cluster.

use crate::calls::noun;

noun! {
    /// Members of the cluster: admission, promotion, removal, and who leads.
    Members, members, MemberServiceClient in member_service_client;
    /// Lists members and admitted nodes.
    read list(ListMembersRequest) -> ListMembersResponse = list_members;
    /// Admits a node; the answer has its id and join token.
    write admit(AdmitNodeRequest) -> AdmitNodeResponse = admit_node;
    /// Makes a learner a voter.
    write promote(PromoteMemberRequest) -> PromoteMemberResponse = promote_member;
    /// Removes a member for good.
    write remove(RemoveMemberRequest) -> RemoveMemberResponse = remove_member;
    /// Lets another voter lead.
    read transfer_leadership(TransferLeadershipRequest) -> TransferLeadershipResponse = transfer_leadership;
}
