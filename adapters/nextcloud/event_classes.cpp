#include "adapters/nextcloud/event_classes.h"

namespace orbridge::nextcloud {

const std::vector<std::string>& default_classes() {
    static const std::vector<std::string> kClasses = {
        R"(OCP\Files\Events\Node\NodeCreatedEvent)",
        R"(OCP\Files\Events\Node\NodeTouchedEvent)",
        R"(OCP\Files\Events\Node\NodeWrittenEvent)",
        R"(OCP\Files\Events\Node\NodeDeletedEvent)",
        R"(OCP\Files\Events\Node\NodeCopiedEvent)",
        R"(OCP\Files\Events\Node\NodeRenamedEvent)",
        R"(OCA\Files_Trashbin\Events\NodeRestoredEvent)",
        R"(OCP\SystemTag\TagAssignedEvent)",
        R"(OCP\SystemTag\TagUnassignedEvent)",
        R"(OCP\User\Events\UserFirstTimeLoggedInEvent)",
        R"(OCA\Deck\Event\AclCreatedEvent)",
        R"(OCA\Deck\Event\AclUpdatedEvent)",
        R"(OCA\Deck\Event\AclDeletedEvent)",
        R"(OCA\Deck\Event\BoardUpdatedEvent)",
        R"(OCA\Mail\Events\NewMessageReceivedEvent)",
        R"(OCA\Mail\Events\MessageFlaggedEvent)",
        R"(OCA\Mail\Events\MessageSentEvent)",
        R"(OCA\Mail\Events\MessageDeletedEvent)",
    };
    return kClasses;
}

const std::vector<std::string>& all_classes() {
    static const std::vector<std::string> kClasses = [] {
        std::vector<std::string> classes = default_classes();
        for (const auto* more : {
                 R"(OCP\Files\Events\Node\BeforeNodeCreatedEvent)",
                 R"(OCP\Files\Events\Node\BeforeNodeTouchedEvent)",
                 R"(OCP\Files\Events\Node\BeforeNodeWrittenEvent)",
                 R"(OCP\Files\Events\Node\BeforeNodeDeletedEvent)",
                 R"(OCP\Files\Events\Node\BeforeNodeCopiedEvent)",
                 R"(OCP\Files\Events\Node\BeforeNodeRenamedEvent)",
                 R"(OCA\Files_Trashbin\Events\BeforeNodeRestoredEvent)",
                 R"(OCP\Calendar\Events\CalendarObjectCreatedEvent)",
                 R"(OCP\Calendar\Events\CalendarObjectUpdatedEvent)",
                 R"(OCP\Calendar\Events\CalendarObjectDeletedEvent)",
                 R"(OCP\Calendar\Events\CalendarObjectMovedEvent)",
                 R"(OCP\Calendar\Events\CalendarObjectMovedToTrashEvent)",
                 R"(OCP\Calendar\Events\CalendarObjectRestoredEvent)",
                 R"(OCA\Forms\Events\FormSubmittedEvent)",
                 R"(OCA\Tables\Event\RowAddedEvent)",
                 R"(OCA\Tables\Event\RowUpdatedEvent)",
                 R"(OCA\Tables\Event\RowDeletedEvent)",
                 R"(OCA\Deck\Event\CardCreatedEvent)",
                 R"(OCA\Deck\Event\CardUpdatedEvent)",
                 R"(OCA\Deck\Event\CardDeletedEvent)",
                 R"(OCA\AnnouncementCenter\Events\AnnouncementPublished)",
             })
            classes.emplace_back(more);
        return classes;
    }();
    return kClasses;
}

}  // namespace orbridge::nextcloud
