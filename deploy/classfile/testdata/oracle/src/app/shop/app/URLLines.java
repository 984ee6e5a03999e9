package shop.app;

import jakarta.batch.api.Decider;
import jakarta.batch.api.chunk.ItemWriter;
import jakarta.batch.api.listener.AbstractStepListener;
import jakarta.batch.runtime.StepExecution;
import jakarta.inject.Named;
import java.io.Serializable;
import java.util.List;
import shop.base.Reads;

@Named
public class URLLines extends AbstractStepListener implements Reads<String>, ItemWriter, Decider {
    public String next() {
        return null;
    }

    public void open(Serializable checkpoint) {
    }

    public void close() {
    }

    public Object readItem() {
        return next();
    }

    public Serializable checkpointInfo() {
        return 5_000_000_000L + 0.5;
    }

    public void writeItems(List<Object> items) {
        Runnable lambda = () -> items.forEach(System.out::println);
        lambda.run();
    }

    public String decide(StepExecution[] executions) {
        return switch (executions.length) {
            case 0 -> "none";
            default -> "some";
        };
    }
}
