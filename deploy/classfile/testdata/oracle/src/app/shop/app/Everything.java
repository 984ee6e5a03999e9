package shop.app;

import jakarta.batch.api.chunk.CheckpointAlgorithm;
import jakarta.batch.api.chunk.listener.RetryProcessListener;
import jakarta.batch.api.chunk.listener.RetryReadListener;
import jakarta.batch.api.chunk.listener.RetryWriteListener;
import jakarta.batch.api.chunk.listener.SkipProcessListener;
import jakarta.batch.api.chunk.listener.SkipReadListener;
import jakarta.batch.api.chunk.listener.SkipWriteListener;
import jakarta.batch.api.partition.AbstractPartitionAnalyzer;
import jakarta.batch.api.partition.PartitionCollector;
import java.util.List;

public class Everything extends AbstractPartitionAnalyzer implements CheckpointAlgorithm, PartitionCollector, RetryReadListener,
        RetryProcessListener, RetryWriteListener, SkipReadListener, SkipProcessListener, SkipWriteListener {
    public int checkpointTimeout() {
        return 0;
    }

    public void beginCheckpoint() {
    }

    public boolean isReadyToCheckpoint() {
        return true;
    }

    public void endCheckpoint() {
    }

    public java.io.Serializable collectPartitionData() {
        return null;
    }

    public void onRetryReadException(Exception e) {
    }

    public void onRetryProcessException(Object item, Exception e) {
    }

    public void onRetryWriteException(List<Object> items, Exception e) {
    }

    public void onSkipReadItem(Exception e) {
    }

    public void onSkipProcessItem(Object item, Exception e) {
    }

    public void onSkipWriteItem(List<Object> items, Exception e) {
    }
}
