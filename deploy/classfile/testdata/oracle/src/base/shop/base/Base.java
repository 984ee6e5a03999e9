package shop.base;

import jakarta.batch.api.AbstractBatchlet;

public abstract class Base extends AbstractBatchlet {
    @Override
    public String process() {
        return "done";
    }
}
