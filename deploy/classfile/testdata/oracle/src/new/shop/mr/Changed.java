package shop.mr;

public class Changed extends shop.base.Base {
}
