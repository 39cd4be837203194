"""Labels that lie beside images: masks, and boxes, polygons and keypoints in files of YOLO, Pascal VOC and COCO."""
