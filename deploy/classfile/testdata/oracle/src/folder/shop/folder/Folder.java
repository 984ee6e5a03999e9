package shop.folder;

public class Folder extends shop.base.Base {
}
