//! Calls about cursors.

use crate::calls::noun;

noun! {
    /// Cursors: named places in the event log.
    Cursors, cursors, CursorServiceClient in cursor_service_client;
    /// Makes a cursor.
    write create(CreateCursorRequest) -> CreateCursorResponse = create_cursor;
    /// Where a cursor stands.
    read get(GetCursorRequest) -> GetCursorResponse = get_cursor;
    /// One page of cursors; see [`Self::list_all`].
    read list(ListCursorsRequest) -> ListCursorsResponse = list_cursors;
    /// Everything up to a revision is dealt with.
    write acknowledge(AcknowledgeCursorRequest) -> AcknowledgeCursorResponse = acknowledge_cursor;
    /// Ends a cursor.
    write delete(DeleteCursorRequest) -> DeleteCursorResponse = delete_cursor;
}
