package herald.peer;

import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Named;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.processor.TopicNameExtractor;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.StoreBuilder;
import org.apache.kafka.streams.state.Stores;

/** The whole application: stages/notification_topology.cc with Kafka Streams' means. */
final class InboxTopology {
  static final String USERS = "users";
  static final String ITEMS = "inbox-items";
  static final String IDENTITIES = "inbox-identities";
  static final String HEADS = "inbox-heads";

  private InboxTopology() {}

  static Topology build(Flags flags, Counters counters) {
    Serde<byte[]> bytes = Serdes.ByteArray();
    Consumed<byte[], byte[]> consumed = Consumed.with(bytes, bytes);
    Produced<byte[], byte[]> produced = Produced.with(bytes, bytes);
    StreamsBuilder builder = new StreamsBuilder();

    // Who is told of what: stateless but for the users.
    builder.globalTable(
        Topics.USERS,
        Consumed.with(Serdes.String(), bytes),
        Materialized.<String, byte[]>as(
            flags.usersOnDisk()
                ? Stores.persistentTimestampedKeyValueStore(USERS)
                : Stores.inMemoryKeyValueStore(USERS)));
    builder.stream(Topics.EVENTS, consumed.withName("decode-event"))
        .process(() -> new RouteToRecipients(counters), Named.as("route-to-recipients"))
        .to(deadLettersOr(flags.notifications()), produced.withName("notifications"));

    // What each recipient has: all of one recipient is in one partition, so in one task. Two rows
    // are new with nearly each notification, so a cache before them would only copy them; the head
    // row is written again and again, and the cache makes one write a commit of that.
    builder.addStateStore(store(ITEMS).withCachingDisabled());
    builder.addStateStore(store(IDENTITIES).withCachingDisabled());
    builder.addStateStore(store(HEADS).withCachingEnabled());
    builder.stream(flags.notifications(), consumed.withName("decode-notification"))
        .process(
            () -> new WriteInbox(counters, flags.inboxItemsMax()),
            Named.as("write-inbox"),
            ITEMS,
            IDENTITIES,
            HEADS)
        .to(Topics.DEAD_LETTERS, produced.withName("dead-letters"));

    return builder.build();
  }

  private static StoreBuilder<KeyValueStore<byte[], byte[]>> store(String name) {
    return Stores.keyValueStoreBuilder(
        Stores.persistentKeyValueStore(name), Serdes.ByteArray(), Serdes.ByteArray());
  }

  private static TopicNameExtractor<byte[], byte[]> deadLettersOr(String topic) {
    return (key, value, context) ->
        context.headers().lastHeader(DeadLetters.REASON) == null ? topic : Topics.DEAD_LETTERS;
  }
}
