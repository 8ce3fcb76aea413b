n =5
box.w =5
box.h =6
box.at ={x = 3, y = 4}
box.at.x =3
(&box)->at.y =4
row.items[2] =3
row.items[3] =4
point ={x = 10, y = 20}
point.x =10
wide =233 u'é'
geo::Shape::made =1
