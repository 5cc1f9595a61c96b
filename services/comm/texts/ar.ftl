# Arabic, with the digits of the Maghreb (0–9). The program keeps names apart from the direction of the sentence.

welcome-student =
    .title = مرحبا بك في MedTrack!
    .content =
        { $names ->
            [none] مرحبا! تم إنشاء ملف الطالب الخاص بك بنجاح.
           *[both] مرحبا { $full-name }! تم إنشاء ملف الطالب الخاص بك بنجاح.
        }

welcome-encadrant =
    .title = مرحبا بك بين المشرفين!
    .content =
        { $names ->
            [none] مرحبا! تم إنشاء ملف المشرف الخاص بك. يمكنك الآن الإشراف على الطلاب أثناء تدريبهم.
            [first] مرحبا { $full-name }! تم إنشاء ملف المشرف الخاص بك. يمكنك الآن الإشراف على الطلاب أثناء تدريبهم.
           *[both] مرحبا د. { $last-name }! تم إنشاء ملف المشرف الخاص بك. يمكنك الآن الإشراف على الطلاب أثناء تدريبهم.
        }

stage-created =
    .title = تدريب جديد
    .content = تم إنشاء تدريب جديد لك، وهو في انتظار القبول.

stage-accepted =
    .title = تم قبول التدريب!
    .content =
        { $dated ->
            [no] تهانينا! تم قبول تدريبك.
           *[yes] تهانينا! تم قبول تدريبك، وسيبدأ يوم { date }.
        }

stage-rejected =
    .title = تم رفض التدريب
    .content = تم رفض تدريبك.

stage-started =
    .title = بدأ التدريب
    .content = بدأ تدريبك.

stage-completed =
    .title = انتهى التدريب!
    .content =
        { $dated ->
            [no] انتهى تدريبك. يرجى انتظار التقييم.
           *[yes] انتهى تدريبك يوم { date }. يرجى انتظار التقييم.
        }

stage-cancelled =
    .title = تم إلغاء التدريب
    .content = تم إلغاء تدريبك.

evaluation-created =
    .title = تقييم جديد
    .content = تم تقييم تدريبك.

evaluation-updated =
    .title = تم تعديل التقييم
    .content = تم تعديل تقييم تدريبك.

grade-assigned =
    .title = الدرجة النهائية
    .content = حصل تدريبك على الدرجة النهائية.

# How many notifications are unread.
unread =
    { $count ->
        [zero] ليست لديك إشعارات غير مقروءة.
        [one] لديك إشعار واحد غير مقروء.
        [two] لديك إشعاران غير مقروءين.
        [few] لديك { $count } إشعارات غير مقروءة.
        [many] لديك { $count } إشعارا غير مقروء.
       *[other] لديك { $count } إشعار غير مقروء.
    }

# A day, in the texts above.
date = { day } { month } { $year }

month =
    { $month ->
        [1] يناير
        [2] فبراير
        [3] مارس
        [4] أبريل
        [5] مايو
        [6] يونيو
        [7] يوليو
        [8] أغسطس
        [9] سبتمبر
        [10] أكتوبر
        [11] نوفمبر
       *[12] ديسمبر
    }

day = { $day }
