package shop.mr;

public class Changed {
}
