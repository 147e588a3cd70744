package herald.peer;

import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.streams.StreamsConfig;

/** Kafka Streams as a competent user would set it; README.md says why each. */
final class StreamsProperties {
  private static final int SESSION_TIMEOUT_MS = 10_000;
  private static final int HEARTBEAT_INTERVAL_MS = 3_000;
  private static final int LINGER_MS = 5;
  private static final int BATCH_BYTES = 128 << 10;
  private static final int FETCH_BYTES_PER_PARTITION = 1 << 20;
  private static final long MIB = 1 << 20;

  private StreamsProperties() {}

  static Properties of(Flags flags) {
    Properties p = new Properties();
    p.put(StreamsConfig.APPLICATION_ID_CONFIG, flags.applicationId());
    p.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, flags.bootstrap());
    p.put(StreamsConfig.STATE_DIR_CONFIG, flags.stateDir().toString());
    p.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, flags.threads());
    p.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, flags.guarantee());
    p.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, flags.commitIntervalMs());
    p.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, flags.storeCacheMib() * MIB);
    p.put(StreamsConfig.ROCKSDB_CONFIG_SETTER_CLASS_CONFIG, BoundedRocksDb.class.getName());
    p.put(BoundedRocksDb.CACHE_BYTES, Long.toString(flags.rocksdbCacheMib() * MIB));
    p.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, -1);
    // A new group begins with what is there already.
    p.put(StreamsConfig.consumerPrefix(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG), "earliest");
    p.put(
        StreamsConfig.consumerPrefix(ConsumerConfig.MAX_PARTITION_FETCH_BYTES_CONFIG),
        FETCH_BYTES_PER_PARTITION);
    p.put(
        StreamsConfig.mainConsumerPrefix(ConsumerConfig.SESSION_TIMEOUT_MS_CONFIG),
        SESSION_TIMEOUT_MS);
    p.put(
        StreamsConfig.mainConsumerPrefix(ConsumerConfig.HEARTBEAT_INTERVAL_MS_CONFIG),
        HEARTBEAT_INTERVAL_MS);
    if (flags.instanceId() != null) {
      p.put(
          StreamsConfig.mainConsumerPrefix(ConsumerConfig.GROUP_INSTANCE_ID_CONFIG),
          flags.instanceId());
    }
    p.put(StreamsConfig.producerPrefix(ProducerConfig.LINGER_MS_CONFIG), LINGER_MS);
    p.put(StreamsConfig.producerPrefix(ProducerConfig.BATCH_SIZE_CONFIG), BATCH_BYTES);
    p.putAll(flags.properties());
    return p;
  }
}
