//! Calls about sites.

use crate::calls::noun;

noun! {
    /// Sites: places, one within another, that devices and assets are at.
    Sites, sites, SiteServiceClient in site_service_client;
    /// Creates a site.
    write create(CreateSiteRequest) -> SiteResponse = create_site;
    /// A site.
    read get(GetSiteRequest) -> SiteResponse = get_site;
    /// One page of sites; see [`Self::list_all`].
    read list(ListSitesRequest) -> ListSitesResponse = list_sites;
    /// Changes a site.
    write update(UpdateSiteRequest) -> SiteResponse = update_site;
    /// Deletes a site.
    write delete(DeleteSiteRequest) -> DeleteSiteResponse = delete_site;
}
