package herald.peer;

import java.util.concurrent.atomic.LongAdder;

/** What the stages have done since the start; replays count again. Any thread. */
final class Counters {
  final LongAdder events = new LongAdder();
  final LongAdder refused = new LongAdder();
  final LongAdder unknownActors = new LongAdder();
  final LongAdder notifications = new LongAdder();
  final LongAdder notificationsStored = new LongAdder();

  String toJson() {
    return "{\"events\":" + events.sum()
        + ",\"refused\":" + refused.sum()
        + ",\"unknown_actors\":" + unknownActors.sum()
        + ",\"notifications\":" + notifications.sum()
        + ",\"notifications_stored\":" + notificationsStored.sum()
        + "}";
  }
}
